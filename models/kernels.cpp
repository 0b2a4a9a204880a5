// The training kernels of embedder_cpu.py between the matrix products: one pass over a map does what torch does in
// five, each through memory. Maps are bfloat16 [n, side, side, c], channels a multiple of 16; all else is float.
// "z" is what a convolution gives without its bias, "y" what its PReLU makes of z + b. Gradients of weights are added to.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int LANES = 16;
typedef float V __attribute__((vector_size(4 * LANES)));
typedef uint32_t U __attribute__((vector_size(4 * LANES)));
typedef uint16_t H __attribute__((vector_size(2 * LANES)));
typedef uint16_t bf16;

inline V load(const bf16 *p) {
    H half;
    memcpy(&half, p, sizeof half);
    return (V)(__builtin_convertvector(half, U) << 16);
}

inline V load(const float *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}

inline void store(float *p, V v) { memcpy(p, &v, sizeof v); }
inline void store(bf16 *p, V v) {  // to the nearest, ties to even
    const U bits = (U)v;
    const H half = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, H);
    memcpy(p, &half, sizeof half);
}

inline void add(float *p, V v) { store(p, load(p) + v); }
inline V prelu(V z, V slope) { return z > 0 ? z : z * slope; }

// The gradient through a PReLU with input z; adds that of its slope.
inline V bent(V gradient, V z, V slope, V &slope_gradient) {
    slope_gradient += z > 0 ? V{} : gradient * z;
    return z > 0 ? gradient : gradient * slope;
}

struct Padded {  // one picture's map of LANES channels, with a border of zeros
    const int width;
    std::vector<V> cells;
    explicit Padded(int side) : width(side + 2), cells(width * width) {}
    V &at(int y, int x) { return cells[y * width + x]; }
};

}  // namespace

extern "C" {

// Depthwise 3x3: z1 [n, side, side, c] to z2 and y2 [n, side / stride, side / stride, c]; w [9, c]; `before` is the
// padding above and to the left.
void dw_forward(int n, int side, int c, int stride, int before, const bf16 *z1, const float *b1, const float *s1,
                const float *w, const float *b2, const float *s2, bf16 *z2, bf16 *y2) {
    const int out = side / stride;
    Padded y1(side);
    for (int picture = 0; picture < n; picture++)
        for (int channel = 0; channel < c; channel += LANES) {
            const V bias = load(b1 + channel), slope = load(s1 + channel);
            const V bias2 = load(b2 + channel), slope2 = load(s2 + channel);
            V weight[9];
            for (int tap = 0; tap < 9; tap++) weight[tap] = load(w + tap * c + channel);
            const bf16 *given = z1 + (size_t)picture * side * side * c + channel;
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    y1.at(y + 1, x + 1) = prelu(load(given + (y * side + x) * c) + bias, slope);
            size_t place = (size_t)picture * out * out * c + channel;
            for (int y = 0; y < out; y++)
                for (int x = 0; x < out; x++, place += c) {
                    const V *corner = &y1.at(y * stride + 1 - before, x * stride + 1 - before);
                    V sum = V{};
                    for (int tap = 0; tap < 9; tap++) sum += weight[tap] * corner[tap / 3 * y1.width + tap % 3];
                    store(z2 + place, sum);
                    store(y2 + place, prelu(sum + bias2, slope2));
                }
        }
}

// Of the same: from g2, y2's gradient, to g1, z1's, with those of w and of both biases and slopes.
void dw_backward(int n, int side, int c, int stride, int before, const bf16 *g2, const bf16 *z2, const float *b2,
                 const float *s2, const float *w, const bf16 *z1, const float *b1, const float *s1, bf16 *g1,
                 float *gw, float *gb2, float *gs2, float *gb1, float *gs1) {
    const int out = side / stride;
    Padded y1(side), spread(side);  // g2 before its PReLU, `stride` apart
    for (int picture = 0; picture < n; picture++)
        for (int channel = 0; channel < c; channel += LANES) {
            const V bias = load(b1 + channel), slope = load(s1 + channel);
            const V bias2 = load(b2 + channel), slope2 = load(s2 + channel);
            V weight[9], of_weight[9] = {}, of_bias2 = {}, of_slope2 = {}, of_bias = {}, of_slope = {};
            for (int tap = 0; tap < 9; tap++) weight[tap] = load(w + tap * c + channel);
            const size_t start = (size_t)picture * side * side * c + channel;
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    y1.at(y + 1, x + 1) = prelu(load(z1 + start + (y * side + x) * c) + bias, slope);
            size_t place = (size_t)picture * out * out * c + channel;
            for (int y = 0; y < out; y++)
                for (int x = 0; x < out; x++, place += c) {
                    const V gradient = bent(load(g2 + place), load(z2 + place) + bias2, slope2, of_slope2);
                    of_bias2 += gradient;
                    spread.at(y * stride + 2 - before, x * stride + 2 - before) = gradient;
                    const V *corner = &y1.at(y * stride + 1 - before, x * stride + 1 - before);
                    for (int tap = 0; tap < 9; tap++)
                        of_weight[tap] += gradient * corner[tap / 3 * y1.width + tap % 3];
                }
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++) {
                    const V *corner = &spread.at(y, x);
                    V sum = V{};
                    for (int tap = 0; tap < 9; tap++) sum += weight[8 - tap] * corner[tap / 3 * y1.width + tap % 3];
                    const size_t here = start + (y * side + x) * c;
                    sum = bent(sum, load(z1 + here) + bias, slope, of_slope);
                    of_bias += sum;
                    store(g1 + here, sum);
                }
            for (int tap = 0; tap < 9; tap++) add(gw + tap * c + channel, of_weight[tap]);
            add(gb2 + channel, of_bias2);
            add(gs2 + channel, of_slope2);
            add(gb1 + channel, of_bias);
            add(gs1 + channel, of_slope);
        }
}

// Squeeze and excitation of z [n, places, c], plus `skip` (or null), to `found`. ws and we [inside, c]; kept for the way
// back: mean [n, c], hidden [n, inside] (before its PReLU), share [n, c].
void gate_forward(int n, int places, int c, int inside, const bf16 *z, const float *b, const float *ws, const float *bs,
                  const float *ss, const float *we, const float *be, const bf16 *skip, bf16 *found, float *mean,
                  float *hidden, float *share) {
    for (int picture = 0; picture < n; picture++, mean += c, hidden += inside, share += c) {
        const size_t start = (size_t)picture * places * c;
        for (int channel = 0; channel < c; channel += LANES) {
            V sum = V{};
            for (int place = 0; place < places; place++) sum += load(z + start + place * c + channel);
            store(mean + channel, sum / (float)places + load(b + channel));
        }
        memcpy(share, be, c * sizeof *be);
        for (int i = 0; i < inside; i++) {
            V sum = V{};
            for (int channel = 0; channel < c; channel += LANES)
                sum += load(ws + i * c + channel) * load(mean + channel);
            float total = bs[i];
            for (int lane = 0; lane < LANES; lane++) total += sum[lane];
            hidden[i] = total;
            const float active = total > 0 ? total : total * ss[i];
            for (int channel = 0; channel < c; channel += LANES) add(share + channel, active * load(we + i * c + channel));
        }
        for (int channel = 0; channel < c; channel++) share[channel] = 1 / (1 + expf(-fmaxf(share[channel], -60)));
        for (int channel = 0; channel < c; channel += LANES) {
            const V bias = load(b + channel), part = load(share + channel);
            for (int place = 0; place < places; place++) {
                const size_t here = start + place * c + channel;
                const V value = (load(z + here) + bias) * part;
                store(found + here, skip ? value + load(skip + here) : value);
            }
        }
    }
}

// Of the same: from g, found's gradient, to gz, z's (`skip` has g itself), with those of all weights.
void gate_backward(int n, int places, int c, int inside, const bf16 *g, const bf16 *z, const float *b, const float *ws,
                   const float *ss, const float *we, const float *mean, const float *hidden, const float *share,
                   bf16 *gz, float *gb, float *gws, float *gbs, float *gss, float *gwe, float *gbe) {
    std::vector<float> excited(c), of_mean(c);
    for (int picture = 0; picture < n; picture++, mean += c, hidden += inside, share += c) {
        const size_t start = (size_t)picture * places * c;
        for (int channel = 0; channel < c; channel += LANES) {
            V sum = V{};
            const V bias = load(b + channel), part = load(share + channel);
            for (int place = 0; place < places; place++) {
                const size_t here = start + place * c + channel;
                sum += load(g + here) * (load(z + here) + bias);
            }
            sum *= part * (1 - part);
            store(&excited[channel], sum);
            store(&of_mean[channel], V{});
            add(gbe + channel, sum);
        }
        for (int i = 0; i < inside; i++) {
            const float active = hidden[i] > 0 ? hidden[i] : hidden[i] * ss[i];
            V sum = V{};
            for (int channel = 0; channel < c; channel += LANES) {
                sum += load(we + i * c + channel) * load(&excited[channel]);
                add(gwe + i * c + channel, active * load(&excited[channel]));
            }
            float total = 0;
            for (int lane = 0; lane < LANES; lane++) total += sum[lane];
            if (hidden[i] <= 0) {
                gss[i] += total * hidden[i];
                total *= ss[i];
            }
            gbs[i] += total;
            for (int channel = 0; channel < c; channel += LANES) {
                add(gws + i * c + channel, total * load(mean + channel));
                add(&of_mean[channel], total * load(ws + i * c + channel));
            }
        }
        for (int channel = 0; channel < c; channel += LANES) {
            const V part = load(share + channel), more = load(&of_mean[channel]) / (float)places;
            V sum = V{};
            for (int place = 0; place < places; place++) {
                const size_t here = start + place * c + channel;
                const V gradient = load(g + here) * part + more;
                sum += gradient;
                store(gz + here, gradient);
            }
            add(gb + channel, sum);
        }
    }
}

// Depthwise over a whole map: z [n, places, c] to `found` [n, c], without a bias of its own; w [places, c].
void global_forward(int n, int places, int c, const bf16 *z, const float *b, const float *s, const float *w,
                    float *found) {
    for (int picture = 0; picture < n; picture++)
        for (int channel = 0; channel < c; channel += LANES) {
            const V bias = load(b + channel), slope = load(s + channel);
            V sum = V{};
            for (int place = 0; place < places; place++)
                sum += prelu(load(z + ((size_t)picture * places + place) * c + channel) + bias, slope) *
                       load(w + place * c + channel);
            store(found + picture * c + channel, sum);
        }
}

// Of the same: from g [n, c] to gz, with the gradients of w, b and s.
void global_backward(int n, int places, int c, const float *g, const bf16 *z, const float *b, const float *s,
                     const float *w, bf16 *gz, float *gw, float *gb, float *gs) {
    for (int channel = 0; channel < c; channel += LANES) {
        const V bias = load(b + channel), slope = load(s + channel);
        V of_bias = V{}, of_slope = V{};
        for (int picture = 0; picture < n; picture++) {
            const V gradient = load(g + picture * c + channel);
            for (int place = 0; place < places; place++) {
                const size_t here = ((size_t)picture * places + place) * c + channel;
                const V value = load(z + here) + bias;
                add(gw + place * c + channel, gradient * prelu(value, slope));
                const V before = bent(gradient * load(w + place * c + channel), value, slope, of_slope);
                of_bias += before;
                store(gz + here, before);
            }
        }
        add(gb + channel, of_bias);
        add(gs + channel, of_slope);
    }
}

}  // extern "C"
