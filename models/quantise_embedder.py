"""Makes embedder.tflite of embedder.npz: channels' scales and tensors' ranges by gradient, then the weights' rounding.

Half an hour of two cores; needs no teacher. Only FairFace and drawn people have a say.
"""

import argparse
import copy
import os

import numpy as np
import torch
from coarsen import equalise, maps, reflect, rescale
from data import HELD_OUT, ROOT, read_faces, read_options, run
from drawn import bank
from fakequant import ActivationRange
from metrics import unit
from quantise import calibrate, to_tflite
from rounding import layers_of, round_weights
from torch.nn import functional as F
from train_embedder import SEED, distillation, embed_all, held_out_error, last_weights, on_device
from views import DEVICE, Dice, floats, seen

LOTS = 160
REAL, DRAWN = 96, 12  # faces and pictures of drawn people in a lot


def read_lots(faces, people):
    """Inputs [REAL + DRAWN, 3, h, w] each, as training's, of uint8 [n, 112, 112, 3]."""
    rng, lots = np.random.default_rng(SEED), []
    rows = rng.choice(len(faces), (LOTS, REAL), replace=False), rng.choice(len(people), (LOTS, DRAWN), replace=False)
    for lot, (real, drawn) in enumerate(zip(*rows, strict=True)):
        pictures = torch.from_numpy(np.concatenate([faces[np.sort(real)], people[drawn]])).to(DEVICE)
        lots.append(on_device(seen(Dice(SEED, lot), floats(pictures))))
    return lots


@torch.no_grad()
def gradient(writers, readers):
    """Of the loss by the logarithm of each channel's gain, by which `writers` multiply and `readers` divide."""
    found = 0
    for node in writers:
        found += (node.conv.weight * node.conv.weight.grad).sum((1, 2, 3)) + node.bias * node.bias.grad
    for node in readers:
        over = (1, 2, 3) if node.conv.groups > 1 else (0, 2, 3)
        found -= (node.conv.weight * node.conv.weight.grad).sum(over)
    return found


def learn_ranges(net, example, lots, steps):
    """Moves ends of ranges and gains of channels to where `net`, int8, best says what `example` says of `lots`.

    How much to cut off, so that the rest is told more finely, differs from tensor to tensor and from channel to channel
    (LSQ, Esser et al. 2020). What the network says unrounded stays the same. A lot is [n, 3, h, w]. A step is of 3 % of
    an end's first value and 1 % of a gain, later less.
    """
    ranges = [module for module in net.eval().modules() if isinstance(module, ActivationRange)]
    ends = [end.requires_grad_() for own in ranges for end in (own.low, own.high)]
    gains = [(writers, readers, torch.zeros_like(writers[0].bias)) for writers, _, readers in maps(net)]
    rates = [{"params": [end], "lr": 0.03 * max(abs(end.item()), 0.05)} for end in ends]
    rates += [{"params": [log], "lr": 0.01} for *_, log in gains]
    optimizer = torch.optim.Adam(rates, betas=(0.8, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with torch.no_grad():
        words = [F.normalize(example(pictures)) for pictures in lots]
    for step in range(steps):
        loss = distillation(net(lots[step % len(lots)]), words[step % len(lots)])
        loss.backward()
        for writers, readers, log in gains:
            log.grad = gradient(writers, readers)
        optimizer.step()
        for writers, readers, log in gains:
            rescale(writers, readers, log.exp())
            log.zero_()
        net.zero_grad()
        optimizer.zero_grad()
        schedule.step()
        if step % 5 == 4:
            print(f"ranges {step + 1}/{steps} distil {loss.item():.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="of the ranges (default %(default)s)")
    options = read_options(parser)
    torch.set_num_threads(os.cpu_count() or 1)
    faces, _ = read_faces("fairface_train112")
    net = on_device(last_weights().eval().fold())
    example = copy.deepcopy(net)
    check = torch.from_numpy(np.array(faces[-HELD_OUT:])).to(DEVICE)
    wanted = unit(embed_all(example, check))
    lots = read_lots(faces[:-HELD_OUT], bank().reshape(-1, 112, 112, 3))

    def report(what):
        error, pairs = held_out_error(net, check, wanted)
        print(f"{what}: held-out cosine to float {error:.4f}, similarity error {pairs:.4f}", flush=True)

    reflect(net)
    equalise(net, torch.cat(lots[:4]))
    calibrate(net, lots[:40])
    net.quantised = True
    for layer in layers_of(net):
        layer.exact = True  # or the ranges would make up for a rounding that isn't the last
    report("calibrated")
    learn_ranges(net, example, lots, options.steps)
    report("ranges and gains learned")
    round_weights(net, torch.cat(lots[:12]))
    report("weights rounded together")
    (ROOT / "embedder.tflite").write_bytes(to_tflite(net.cpu()))


if __name__ == "__main__":
    run(main)
