"""The embedder's way forward and back on a CPU, with settled batch norms; `python -m tools.bench training` times it.

Matrix products are torch's, in bfloat16; kernels.cpp has what lies between them, each a single pass over a map. Each
thread takes its share of the pictures through the whole network.
"""

import ctypes
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import torch
from data import CACHE, ROOT
from torch.nn import functional as F

BLOCK = 13  # tensors of weights that a block has


def library():
    """kernels.cpp, compiled for this machine into build/train."""
    source, built = ROOT / "kernels.cpp", CACHE / "kernels.so"
    if not built.is_file() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(parents=True, exist_ok=True)
        options = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run(["g++", *options, "-o", f"{built}.{os.getpid()}", str(source)], check=True)
        os.replace(f"{built}.{os.getpid()}", built)
    return ctypes.CDLL(str(built))


def call(function, *given):
    function(*(x if isinstance(x, int) else ctypes.c_void_p(None if x is None else x.data_ptr()) for x in given))


def settled(layer):
    """[weight, bias, and slope if it has one] of a layer with its norm put in."""
    norm, weight, bias = layer.norm, layer.conv.weight, layer.bias
    if norm is not None:
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        weight, bias = weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain
    return [weight, bias, layer.slope] if layer.prelu else [weight, bias]


def product(layer):
    weight, *others = settled(layer)
    return [weight.flatten(1).bfloat16(), *others]


def depthwise(layer):
    weight, *others = settled(layer)
    return [weight.flatten(1).T, *others]


class Embedder:
    """Runs `net`, of nets.EMBEDDER or others like it with widths that are multiples of 16, in so many threads."""

    def __init__(self, net, threads):
        nodes = list(net.nodes)
        self.library, self.threads = library(), threads
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self.stem, self.blocks = nodes[:2], []  # (expand, depthwise, project, gate, adds)
        index = 2
        while nodes[index + 1].kind == "dw":
            adds = nodes[index + 4].kind == "add"
            self.blocks.append((*nodes[index : index + 4], adds))
            index += 4 + adds
        self.head, self.whole, self.last = nodes[index:]

    def __call__(self, pictures):
        """What Net.forward gives, of float NCHW pictures."""
        weights = product(self.stem[0]) + depthwise(self.stem[1])
        weights[0] = F.pad(weights[0], (0, 5))  # of 27 inputs to 32
        for expand, middle, project, gate, _ in self.blocks:
            (squeeze, *others), (excite, bias) = settled(gate.squeeze), settled(gate.excite)
            weights += product(expand) + depthwise(middle) + product(project)
            weights += [squeeze.flatten(1), *others, excite.flatten(1).T, bias]
        whole, whole_bias = depthwise(self.whole)
        sums = Parts.apply(self, pictures, *weights, *product(self.head), whole)
        last, bias = settled(self.last)
        return F.linear(sums + whole_bias, last.flatten(1), bias)

    def in_parts(self, run, count):
        """Calls run(slice of the pictures, thread) for a part of the pictures in each thread."""
        size = -(-count // self.threads)

        def part(start):
            with torch.no_grad():
                run(slice(start, start + size), start // size)

        list(self.pool.map(part, range(0, count, size)))

    def expand(self, x, layer, weights, kept):
        """y2 of the depthwise `layer` and of the convolution before it; `x` [n, places, c]."""
        matrix, b1, s1, w, b2, s2 = weights
        n, side, c = len(x), layer.size, len(b1)
        z1 = (x.view(-1, x.shape[-1]) @ matrix[1]).view(n, side * side, c)
        z2 = z1.new_empty(n, layer.out_size**2, c)
        y2 = torch.empty_like(z2)
        sizes = n, side, c, layer.stride, layer.pad[0]
        call(self.library.dw_forward, *sizes, z1, b1, s1, w, b2, s2, z2, y2)
        kept.append((x, z1, z2, y2))
        return y2

    def expand_back(self, g2, layer, weights, grads, kept):
        """The gradient of the convolution's outputs [n * places, c], from y2's."""
        _, b1, s1, w, b2, s2 = weights
        gm, gb1, gs1, gw, gb2, gs2 = grads
        x, z1, z2, _ = kept
        sizes = len(x), layer.size, len(b1), layer.stride, layer.pad[0]
        g1 = torch.empty_like(z1)
        call(self.library.dw_backward, *sizes, g2, z2, b2, s2, w, z1, b1, s1, g1, gw, gb2, gs2, gb1, gs1)
        g1 = g1.flatten(0, 1)
        gm += g1.T @ x.view(-1, x.shape[-1])
        return g1

    def forward(self, pictures, weights, sums):
        """Puts the last map's sums into place; returns what `backward` needs."""
        columns, kept = F.unfold(F.pad(pictures, (0, 1, 0, 1)), 3, stride=2), []
        x = F.pad(columns.bfloat16().transpose(1, 2), (0, 5))
        x = self.expand(x, self.stem[1], weights[:6], kept)
        for index, (_, middle, _, _, adds) in enumerate(self.blocks):
            own = weights[6 + BLOCK * index :][:BLOCK]
            y2 = self.expand(x, middle, own[:6], kept)
            matrix, b, ws, bs, ss, we, be = own[6:]
            z = (y2.view(-1, y2.shape[-1]) @ matrix[1]).view(*y2.shape[:2], len(b))
            mean, hidden, share = b.new_empty(len(z), len(b)), b.new_empty(len(z), len(bs)), b.new_empty(len(z), len(b))
            x, skip = torch.empty_like(z), x if adds else None
            call(self.library.gate_forward, *z.shape, len(bs), z, b, ws, bs, ss, we, be, skip, x, mean, hidden, share)
            kept.append((z, mean, hidden, share))
        matrix, b, s, w = weights[-4:]
        z = (x.view(-1, x.shape[-1]) @ matrix[1]).view(*x.shape[:2], len(b))
        call(self.library.global_forward, *z.shape, z, b, s, w, sums)
        kept.append((x, z))
        return kept

    def backward(self, g, weights, grads, kept):
        """Adds to `grads` what `g`, the gradient of the sums, comes to."""
        (matrix, b, s, w), (gm, gb, gs, gw) = weights[-4:], grads[-4:]
        x, z = kept.pop()
        gz = torch.empty_like(z)
        call(self.library.global_backward, *z.shape, g, z, b, s, w, gz, gw, gb, gs)
        gz = gz.flatten(0, 1)
        gm += gz.T @ x.view(-1, x.shape[-1])
        g = gz @ matrix[0]
        for index in reversed(range(len(self.blocks))):
            _, middle, _, _, adds = self.blocks[index]
            own, of_own = (tensors[6 + BLOCK * index :][:BLOCK] for tensors in (weights, grads))
            matrix, b, ws, bs, ss, we, be = own[6:]
            gm, gb, gws, gbs, gss, gwe, gbe = of_own[6:]
            (z, *seen), before = kept.pop(), kept.pop()
            gz, of_gate = torch.empty_like(z), (gb, gws, gbs, gss, gwe, gbe)
            call(self.library.gate_backward, *z.shape, len(bs), g, z, b, ws, ss, we, *seen, gz, *of_gate)
            gz = gz.flatten(0, 1)
            gm += gz.T @ before[-1].flatten(0, 1)
            g1 = self.expand_back(gz @ matrix[0], middle, own[:6], of_own[:6], before)
            g = torch.addmm(g, g1, own[0][0]) if adds else g1 @ own[0][0]
        self.expand_back(g, self.stem[1], weights[:6], grads[:6], kept.pop())


class Parts(torch.autograd.Function):
    """The last map's sums [n, c] of pictures and weights."""

    @staticmethod
    def forward(ctx, embedder, pictures, *weights):
        ready = [(w, w.T.contiguous()) if w.dtype == torch.bfloat16 else w.contiguous() for w in weights]
        sums, kept = pictures.new_empty(len(pictures), weights[-1].shape[1]), {}

        def run(part, _):
            kept[part.start] = embedder.forward(pictures[part], ready, sums[part])

        embedder.in_parts(run, len(pictures))
        ctx.embedder, ctx.weights, ctx.kept, ctx.shapes = embedder, ready, kept, [w.shape for w in weights]
        return sums

    @staticmethod
    def backward(ctx, g):
        sizes = [shape.numel() for shape in ctx.shapes]
        total = torch.zeros(ctx.embedder.threads, sum(sizes))  # one for each thread
        grads = [[x.view(s) for x, s in zip(own.split(sizes), ctx.shapes, strict=True)] for own in total]
        g = g.contiguous()

        def run(part, thread):
            ctx.embedder.backward(g[part], ctx.weights, grads[thread], ctx.kept.pop(part.start))

        ctx.embedder.in_parts(run, len(g))
        total[0] += total[1:].sum(0)
        return None, None, *grads[0]
