"""int8 as TFLite means it, simulated in float with straight-through gradients."""

import torch
from torch import nn


def rounded(x):
    """To whole numbers; the gradient passes as if it were not."""
    return x + (torch.round(x) - x).detach()


def weight_scales(weight):
    """One scale per output channel of symmetric int8 weights [-127, 127], weight [out, in, k, k]."""
    return weight.detach().abs().amax((1, 2, 3)).clamp(min=1e-4) / 127


def fake_quantise_weights(weight):
    scale = weight_scales(weight)[:, None, None, None]
    return rounded(weight / scale) * scale


def slope_scale(slope):
    """The one scale of PReLU's symmetric int8 slopes [-127, 127]."""
    return slope.detach().abs().amax().clamp(min=1e-8) / 127


def fake_quantise_slopes(slope):
    scale = slope_scale(slope)
    return rounded(slope / scale) * scale


class ActivationRange(nn.Module):
    """A tensor's range, observed or learned, and its (scale, zero point) in int8.

    After a ReLU the range starts at zero, so the zero point is -128; `symmetric` forces the zero point to 0.
    `forward` has a gradient for both ends.
    """

    def __init__(self, symmetric=False, relu=False):
        super().__init__()
        self.symmetric, self.relu = symmetric, relu
        self.observing, self.batches = False, 0
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def tensors(self):
        """(scale, zero point) as tensors, so that torch.compile sees one layer in all of them."""
        low, high = self.low.clamp(max=0.0), self.high.clamp(min=1e-6)
        if self.symmetric:
            return torch.maximum(-low, high) / 127, torch.zeros_like(low)
        scale = (high - low) / 255
        return scale, rounded(-128 - low / scale)

    @torch.no_grad()
    def quantisation(self):
        """(scale, zero point) with real = scale * (q - zero point)."""
        scale, zero = self.tensors()
        return scale.item(), int(zero)

    def observe(self, x):
        """Takes the mean of all batches' 0.01 % and 99.99 % points: a few outliers must not cost everybody a bit."""
        sample = x.detach().flatten()
        count = max(1, sample.numel() // 10000)
        high = sample.topk(count).values[-1].float()
        low = torch.zeros_like(high) if self.relu else -(-sample).topk(count).values[-1].float()
        self.batches += 1
        self.low.lerp_(low, 1 / self.batches)
        self.high.lerp_(high, 1 / self.batches)

    def forward(self, x, quantised):
        if self.observing:
            self.observe(x)
        if not quantised:
            return x
        scale, zero = self.tensors()
        return (rounded(x / scale + zero).clamp(-128, 127) - zero) * scale
