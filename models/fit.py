"""Trains one of the finder's two networks on batches made for it, in stages that resume from build/train."""

import time

import cv2
import numpy as np
import torch
from checkpoint import load, save
from data import HELD_OUT, ROOT, read_context
from drawn import turned_people
from quantise import calibrate, to_tflite
from relabel import MOST_SPREAD, relabel
from torch.utils.data import DataLoader, Dataset


class Batches(Dataset):
    """Whole batches, each from its own seed: `make_one(rng)` gives a picture and what the network should say of it."""

    def __init__(self, make_one, seed, size, first, last):
        self.make_one, self.seed, self.size, self.first, self.last = make_one, seed, size, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.seed, self.first + index])
        pictures, *targets = zip(*(self.make_one(rng) for _ in range(self.size)), strict=True)
        return to_tensor(np.stack(pictures)), *(torch.from_numpy(np.stack(t)) for t in targets)


def to_tensor(pictures):
    """uint8 [n, h, w] to the float NCHW that the networks take, (x - 128) / 128."""
    return (torch.from_numpy(pictures)[:, None].float() - 128) / 128


def shrunk(picture, part):
    return cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)


def people(part=1):
    """(rooms, faces), both (pictures, landmarks): the context pictures but the held-out ones; drawn people with them.

    The pictures are grey, 224 pixels a side, or a `part` of it: 1/2.
    """
    pictures, (points, spread) = read_context(), relabel()
    kept = np.flatnonzero(spread[:-HELD_OUT] < MOST_SPREAD)
    drawn, drawn_points = turned_people()
    both = pictures[kept], drawn
    if part != 1:
        both = [np.stack([shrunk(picture, part) for picture in pictures]) for pictures in both]
        points, drawn_points = ((p + 0.5) * part - 0.5 for p in (points, drawn_points))
    rooms = both[0], points[kept]
    return rooms, (np.concatenate(both), np.concatenate([rooms[1], drawn_points]))


def stage(net, name, batches, rate, loss):
    """Runs or resumes one stage over `batches`, one cycle of learning rate; `loss` gives its named parts."""
    steps = len(batches)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    batches.first = done = load(name, net, optimizer, schedule)
    loader = DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4)
    begun, sums = time.monotonic(), {}
    net.train()
    for step, (pictures, *targets) in enumerate(loader, done + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=not net.quantised):
            answer = net(pictures.to(memory_format=torch.channels_last))
        parts = loss(answer.float(), *targets)
        sum(parts.values()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        for part, value in parts.items():
            sums[part] = sums.get(part, 0) + value.item() / 50
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - done)
            print(name, f"{step}/{steps}", *(f"{k} {v:.4f}" for k, v in sums.items()), f"{pace:.2f} s/step", flush=True)
            sums = {}
        if step % 250 == 0 or step == steps:
            save(name, net, optimizer, schedule, step)


def fit(net, make_one, loss, seed, size, rate, steps, tune, reach):
    """Trains `steps` batches in float and `tune` as int8, and writes the .tflite; its outputs span -reach to reach."""
    name = net.spec["name"]
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net.to(memory_format=torch.channels_last)
    stage(net, f"{name}.float", Batches(make_one, seed, size, 0, steps), rate, loss)
    net.fold()
    batches = Batches(make_one, seed + 1, size, 0, tune)
    calibrate(net, [batches[index][0] for index in range(8)])
    net.nodes[-1].range.low.fill_(-reach)
    net.nodes[-1].range.high.fill_(reach)
    net.quantised = True
    stage(net, f"{name}.tune", batches, rate / 20, loss)
    (ROOT / f"{name}.tflite").write_bytes(to_tflite(net))
