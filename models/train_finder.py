"""Trains the finder on composed frames, then tunes it for int8. Resumes from build/train/finder.*.pt."""

import argparse
import time

import cv2
import numpy as np
import torch
from checkpoint import load, save
from data import HELD_OUT, ROOT, read_options, read_rooms, run
from drawn import bank
from nets import FINDER, Net
from quantise import calibrate, to_tflite
from scenes import grid_target, make
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SEED = 20261125
BATCH = 128
REACH = 3.6  # cells, and half a logit: what the int8 output can say


class Frames(Dataset):
    """Whole batches of composed frames, each from its own seed."""

    def __init__(self, rooms, faces, first, last):
        self.rooms, self.faces, self.first, self.last = rooms, faces, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([SEED, self.first + index])
        frames, faces, offsets = [], [], []
        for _ in range(BATCH):
            frame, landmarks = make(rng, self.rooms, self.faces)
            face, offset = grid_target(landmarks)
            frames.append(frame)
            faces.append(face)
            offsets.append(offset)
        return to_tensor(np.stack(frames)), *(torch.from_numpy(np.stack(x)) for x in (faces, offsets))


def to_tensor(frames):
    """uint8 [n, 80, 80] to the float NCHW that the network takes, (x - 128) / 128."""
    return (torch.from_numpy(frames)[:, None].float() - 128) / 128


def loss(found, face, offsets):
    """(face-or-not, landmarks): focal cross-entropy of the doubled score; landmark error over the eye distance.

    The face's cell is to know all five landmarks, and each cell those that lie in it or just beside it.
    The score is trained doubled so that scores and offsets share one int8 scale without either running out of range.
    """
    score = 2 * found[..., 0]
    known = face >= 0
    right = face.clamp(min=0)
    entropy = F.binary_cross_entropy_with_logits(score, right, reduction="none")
    hardness = (torch.sigmoid(score) - right).detach().abs().square()
    faceness = (entropy * hardness * known).sum() / (face == 1).sum().clamp(min=1)
    eyes = (offsets[:, :1, :1, 2:4] - offsets[:, :1, :1, :2]).norm(dim=-1, keepdim=True).clamp(min=0.5)
    error = F.smooth_l1_loss(found[..., 1:] / eyes, offsets / eyes, beta=0.02, reduction="none")
    inside = offsets.unflatten(-1, (5, 2)).abs().amax(-1, keepdim=True) < 0.7
    inside = (inside & (face != 0).any(2).any(1)[:, None, None, None, None]).expand(-1, -1, -1, 5, 2).flatten(3)
    weight = inside + 0.5 * (face == 1).float()[..., None]
    return faceness, (error * weight).sum() / weight.sum()


def train(net, stage, steps, rate, rooms, faces):
    """Runs or resumes one stage of `steps` batches, one cycle of learning rate."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    done = load(f"finder.{stage}", net, optimizer, schedule)
    loader = DataLoader(Frames(rooms, faces, done, steps), batch_size=None, num_workers=1, prefetch_factor=4)
    begun, sums = time.monotonic(), np.zeros(2)
    net.train()
    for step, (frames, face, offsets) in enumerate(loader, done + 1):
        with torch.autocast("cpu", torch.bfloat16):
            found = net(frames.to(memory_format=torch.channels_last))
        faceness, landmarks = loss(found.float(), face, offsets)
        (faceness + 10 * landmarks).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        sums += faceness.item(), landmarks.item()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - done)
            print(
                f"{stage} {step}/{steps} face {sums[0] / 50:.4f} landmarks {sums[1] / 50:.4f} {pace:.2f} s/step",
                flush=True,
            )
            sums[:] = 0
        if step % 500 == 0 or step == steps:
            save(f"finder.{stage}", net, optimizer, schedule, step)
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="batches of float training (default %(default)s)")
    parser.add_argument("--people", type=int, default=1600, help="batches with drawn people among the faces")
    parser.add_argument("--tune", type=int, default=200, help="batches of quantisation-aware tuning")
    parser.add_argument("--threads", type=int, default=1, help="of the network; one more makes the batches")
    options = read_options(parser)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    pictures, landmarks = read_rooms()
    rooms = pictures[:-HELD_OUT], landmarks[:-HELD_OUT]
    net = Net(FINDER).to(memory_format=torch.channels_last)
    train(net, "float", options.steps, 4e-3, rooms, rooms)

    _, grey, points = bank()
    faces = np.concatenate([rooms[0], grey]), np.concatenate([rooms[1], points])
    net.nodes[-1].fold()  # most cells answer nothing that is asked of them: the scale must not hang on the batch
    train(net, "people", options.people, 3e-3, rooms, faces)

    net.fold()
    frames = Frames(rooms, faces, 0, 20)
    calibrate(net, [frames[i][0] for i in range(20)])
    net.quantised = True
    train(net, "tune", options.tune, 5e-4, rooms, faces)
    # Offsets stay within 3.6 cells; scores run to -25, and would leave the offsets a coarse scale they do not need.
    net.nodes[-1].range.low.fill_(-REACH)
    net.nodes[-1].range.high.fill_(REACH)
    (ROOT / "finder.tflite").write_bytes(to_tflite(net))


if __name__ == "__main__":
    run(main)
