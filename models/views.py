"""What the embedder sees in training, for whole batches at once and where the training runs, on a GPU or a CPU.

Pictures are float NCHW, RGB, 0..255, with aligned faces of 112x112 or the embedder's input of them, INPUT x INPUT.
"""

import numpy as np
import torch
from augment import CORNER, INPUT, SHOWN
from data import TEMPLATE112
from torch.nn import functional as F

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# Processors without instructions for bfloat16 take many times as long with it.
QUICK = torch.bfloat16 if DEVICE.type == "cuda" or torch.cpu._is_avx512_bf16_supported() else torch.float32
SIDE = 112
CENTRE = 56, 72  # of a misalignment's turn
# ITU-T T.81 (1992), tables K.1 and K.2: steps of the cosines of luminance and of chrominance
STEPS = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
LUMINANCE, CHROMINANCE = torch.tensor([float(step) for step in STEPS.split()], device=DEVICE).view(2, 8, 8)
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])  # JFIF 1.02
FROM_YCC, TO_YCC = torch.linalg.inv(TO_YCC).to(DEVICE), TO_YCC.to(DEVICE)


class Dice:
    """Random numbers for each picture, [n, 1, 1, 1] unless `shape` says otherwise, from a seed of whole numbers."""

    def __init__(self, *seed):
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self.generator = torch.Generator(DEVICE).manual_seed(int(state))

    def uniform(self, low, high, n, *shape):
        return low + (high - low) * torch.rand(n, *(shape or (1, 1, 1)), generator=self.generator, device=DEVICE)

    def normal(self, mean, deviation, n, *shape):
        return mean + deviation * torch.randn(n, *(shape or (1, 1, 1)), generator=self.generator, device=DEVICE)

    def share(self, part, n):
        """True for about that part of the pictures."""
        return self.uniform(0, 1, n) < part

    def below(self, count, n):
        """[n] whole numbers under `count`."""
        return (self.uniform(0, count, n, 1)[:, 0]).long().clamp(max=count - 1)


def floats(pictures):
    """Of uint8 NHWC on DEVICE."""
    return pictures.permute(0, 3, 1, 2).float()


def whole(x):
    """Rounded to what a byte holds."""
    return (x + 0.5).floor().clamp(0, 255)


def averaging(corner):
    """[INPUT, SIDE]: linear interpolation at three times the input's resolution, then the mean of each three."""
    at = (torch.arange(3 * INPUT, device=DEVICE) - 1) * (SHOWN / INPUT / 3) + corner
    weights = (1 - (torch.arange(SIDE, device=DEVICE) - at[:, None]).abs()).clamp(min=0)
    return weights.view(INPUT, 3, SIDE).mean(1)


def plain(x):
    """augment.plain_view of faces [n, 3, SIDE, SIDE]."""
    across, down = (averaging(corner) for corner in CORNER)
    return whole(down @ x @ across.T)


def to_input(x):
    """What the network takes, (x - 128) / 128."""
    return (x - 128) / 128


def places(x):
    """x and y of the pixels of a square picture."""
    along = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    return along, along[:, None]


def with_glasses(dice, x):
    """Frames drawn about the eyes; one pair in four is dark."""
    n, (across, down), (left, right) = len(x), places(x), TEMPLATE112[:2].tolist()
    colour, half = dice.uniform(0, 90, n, 3, 1, 1), dice.uniform(0.5, 1.5, n)
    wide, high, dark = dice.uniform(11, 16, n), dice.uniform(8, 14, n), dice.share(0.25, n)
    drawn = (half + 0.5 - (down - 52).abs()) * ((across > left[0] + wide) & (across < right[0] - wide))
    for eye in (left, right):
        from_rim = (torch.hypot((across - eye[0]) / wide, (down - eye[1] - 2) / high) - 1) * high
        drawn = drawn.maximum(half + 0.5 - torch.where(dark, from_rim.clamp(min=0), from_rim.abs()))
    return x.lerp(colour.expand_as(x), drawn.clamp(0, 1).expand_as(x))


def light(dice, x):
    """Gain, contrast, colour cast and a side light; some are dim."""
    n, (across, down) = len(x), (2 * place / (x.shape[-1] - 1) - 1 for place in places(x))
    gain = dice.normal(0, 0.25, n).exp() * torch.where(dice.share(0.12, n), dice.uniform(0.3, 0.7, n), 1)
    cast = (dice.normal(0, 0.07, n, 3, 1, 1) * dice.share(0.6, n)).exp()
    angle, strength = dice.uniform(0, 2 * np.pi, n), dice.uniform(0, 0.6, n) * dice.share(0.4, n)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * dice.normal(0, 0.15, n).exp() + mean
    return x * (gain * cast) * (1 + strength * (angle.sin() * down + angle.cos() * across))


def blurred(x, deviation):
    """Gaussian blur by `deviation` [n, 1, 1, 1] pixels."""
    across, down = places(x)
    weights = (-(((across - down) / deviation[:, 0]) ** 2) / 2).exp()
    weights = (weights / weights.sum(2, keepdim=True))[:, None]
    return weights @ x @ weights.mT


def rgb565(x):
    """augment.rgb565 of what a byte holds of `x`."""
    red, green, blue = x.clamp(0, 255).split(1, 1)
    red, green, blue = (red / 8).floor(), (green / 4).floor(), (blue / 8).floor()
    return torch.cat([red * 8 + (red / 4).floor(), green * 4 + (green / 16).floor(), blue * 8 + (blue / 4).floor()], 1)


def sampled(x, across, down):
    """`x` at places [n, h, w] in its pixels, linear between them; beyond the edge it goes on as at the edge."""
    grid = torch.stack([across, down], -1) * (2 / (x.shape[-1] - 1)) - 1
    return F.grid_sample(x, grid, "bilinear", "border", align_corners=True)


def misaligned(dice, x):
    """The input of faces whose landmarks err, seen from above or below; three in twenty err twice as much."""
    n = len(x)
    spread = 1 + dice.share(0.15, n)[:, 0].float()
    turn, growth = torch.deg2rad(dice.normal(0, 3, n)[:, 0] * spread), (dice.normal(0, 0.035, n)[:, 0] * spread).exp()
    shift, lean = dice.normal(0, 1.8, n, 2, 1, 1) * spread[:, None], dice.normal(0, 0.0006, n)[:, 0]
    along = torch.arange(INPUT, device=x.device) * (SHOWN / INPUT)
    across, down = along + (CORNER[0] - CENTRE[0]), along[:, None] + (CORNER[1] - CENTRE[1])
    cosine, sine = turn.cos() * growth, turn.sin() * growth
    right = CENTRE[0] + shift[:, 0] + cosine * across - sine * down
    below = CENTRE[1] + shift[:, 1] + sine * across + cosine * down
    depth = 1 + lean * (below - SIDE / 2)
    return sampled(x, SIDE / 2 + (right - SIDE / 2) / depth, SIDE / 2 + (below - SIDE / 2) / depth)


def coded(x, table):
    """Planes [n, c, side, side] whose blocks' cosine transforms are rounded to steps of `table` [n, 1, 8, 8]."""
    across, blocks = torch.arange(8, device=x.device), x.shape[-1] // 8
    cosines = torch.cos((2 * across + 1) * across[:, None] * (np.pi / 16)) / 2
    cosines[0] /= 2**0.5
    transform, steps = torch.kron(torch.eye(blocks, device=x.device), cosines), table.repeat(1, 1, blocks, blocks)
    return transform.T @ (((transform @ x @ transform.T) / steps).round() * steps) @ transform


def jpeg(x, quality):
    """After JPEG of `quality` [n, 1, 1, 1], 0..100, with chrominance of half the resolution."""
    quality = quality.round()
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)  # as libjpeg's
    luminance, chrominance = (((k * scale + 50) / 100).floor().clamp(1, 255) for k in (LUMINANCE, CHROMINANCE))
    ycc = torch.einsum("oc,nchw->nohw", TO_YCC, x)
    bright = coded(ycc[:, :1] - 128, luminance).round() + 128
    colour = F.interpolate(coded(F.avg_pool2d(ycc[:, 1:], 2), chrominance).round(), scale_factor=2, mode="bilinear")
    return whole(torch.einsum("oc,nchw->nohw", FROM_YCC, torch.cat([bright, colour], 1)))


def spoiled(dice, x):
    """The input of faces [n, 3, SIDE, SIDE] as a wrist camera might give it: each with troubles of its own."""
    n, x = len(x), x.clone()
    x[::12] = with_glasses(dice, x[::12])
    x = blurred(light(dice, x), dice.uniform(0.3, 0.9, n))
    x[::2] = rgb565(x[::2])
    x = misaligned(dice, x)
    x = torch.where(dice.share(0.35, n), blurred(x, dice.uniform(0.3, 1.1, n)), x)
    x = whole(x + dice.normal(0, 1, n, *x.shape[1:]) * dice.uniform(1, 9, n) * dice.share(0.5, n))
    x[::4] = jpeg(x[::4], dice.uniform(35, 90, len(x[::4])))
    return x


def seen(dice, x):
    """Training's inputs of faces [n, 3, SIDE, SIDE]: two of five are as they are, the others spoiled."""
    parts = [x[k::5] for k in range(5)]
    views = plain(torch.cat(parts[:2])), spoiled(dice, torch.cat(parts[2:]))
    found = x.new_empty(len(x), 3, INPUT, INPUT)
    for k, view in enumerate(torch.cat(views).split([len(part) for part in parts])):
        found[k::5] = view
    return to_input(found)
