"""Trains the embedder: distils the teacher on FairFace, separates drawn people; then quantisation-aware tuning.

Resumes from build/train/embedder.pt. Only FairFace pictures, drawn people and the teacher shape the weights.
"""

import argparse
import time

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from augment import embedder_view, plain_view
from checkpoint import load, save
from data import CACHE, read_faces, run
from nets import EMBEDDER, Net
from teacher import embed_views

SEED = 20261124
HELD_OUT = 1000  # the last training faces: seen by the log, never by the weights
BATCH = 192
DRAWN = 64  # drawn pictures in a batch, two of each person
WIDTH = 128


def targets(views):
    """Teacher views [2, n, 512] to unit [2, n, 128]: the 128 strongest directions, turned at random.

    The turn spreads the variance evenly over the components, so one int8 scale suits them all.
    """
    flat = views.reshape(-1, views.shape[-1])
    _, directions = np.linalg.eigh(flat.T @ flat)
    turn, _ = np.linalg.qr(np.random.default_rng(SEED).standard_normal((WIDTH, WIDTH)))
    kept = views @ (directions[:, -WIDTH:] @ turn).astype(np.float32)
    print(f"128 directions keep {np.square(kept).sum(-1).mean():.1%} of the teacher's energy")
    return kept / np.linalg.norm(kept, axis=-1, keepdims=True)


class Batches(Dataset):
    """Whole batches, each drawn from its own seed, so that a resumed run sees what an unbroken one would have."""

    def __init__(self, faces, target, drawn, first, last):
        self.faces, self.target, self.drawn = faces, target, drawn
        self.first, self.last = first, last
        self.usable = self.target.shape[1] - HELD_OUT

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([SEED, self.first + index])
        chosen, mirrored = rng.integers(0, self.usable, BATCH), rng.integers(0, 2, BATCH)
        pictures = [embedder_view(rng, self.faces[i], m) for i, m in zip(chosen, mirrored, strict=True)]
        if self.drawn is not None:
            people = rng.choice(len(self.drawn), DRAWN // 2, replace=False)
            views = self.drawn.shape[1]
            pairs = [(p, v) for p in people for v in rng.choice(views, 2, replace=False)]
            pictures += [embedder_view(rng, self.drawn[p, v], 0) for p, v in pairs]
        return to_tensor(np.stack(pictures)), torch.from_numpy(self.target[mirrored, chosen])


def to_tensor(pictures):
    """uint8 NHWC to the float NCHW that the network takes, (x - 128) / 128."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) / 128


def distillation(found, target):
    """Cosine to the teacher, plus the error of every pairwise similarity in the batch."""
    unit = F.normalize(found)
    relation = (unit @ unit.T - target @ target.T).square().mean()
    return (1 - (unit * target).sum(1)).mean() + 10 * relation


def separation(drawn, faces, temperature=0.1):
    """Drawn pairs (rows 2k and 2k+1) against every other drawn person and every real face (NT-Xent)."""
    unit, others = F.normalize(drawn), F.normalize(faces).detach()
    similarity = torch.cat([unit @ unit.T, unit @ others.T], 1) / temperature
    own = torch.eye(len(unit), dtype=torch.bool)
    similarity[:, : len(unit)] = similarity[:, : len(unit)].masked_fill(own, -1e4)
    return F.cross_entropy(similarity, torch.arange(len(unit)) ^ 1)


def held_out(net, faces, target):
    """(mean cosine to the teacher, RMS error of the pairwise similarities) on the held-out training faces."""
    net.eval()
    pictures = np.stack([plain_view(face) for face in faces[-HELD_OUT:]])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not net.quantised):
        found = F.normalize(net(to_tensor(pictures)).float()).numpy()
    net.train()
    wanted = target[0, -HELD_OUT:]
    return (found * wanted).sum(1).mean(), np.sqrt(np.square(found @ found.T - wanted @ wanted.T).mean())


def train(net, stage, steps, rate, faces, target, drawn, minutes):
    """Runs or resumes one stage of `steps` batches, one cycle of learning rate."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    done = load(f"embedder.{stage}", net, optimizer, schedule)
    loader = DataLoader(Batches(faces, target, drawn, done, steps), batch_size=None, num_workers=1, prefetch_factor=4)
    begun, sums = time.monotonic(), np.zeros(2)
    net.train()
    for step, (pictures, wanted) in enumerate(loader, done + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=not net.quantised):
            found = net(pictures.to(memory_format=torch.channels_last))
        found = found.float()
        near = distillation(found[:BATCH], wanted)
        apart = separation(found[BATCH:], found[:BATCH]) if drawn is not None else torch.zeros(())
        (near + 0.1 * apart).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        sums += near.item(), apart.item()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - done)
            near, apart = sums / 50
            sums[:] = 0
            print(f"{stage} {step}/{steps} distil {near:.4f} drawn {apart:.4f} {pace:.2f} s/step", flush=True)
        if step % 500 == 0 or step == steps:
            save(f"embedder.{stage}", net, optimizer, schedule, step)
            cosine, error = held_out(net, faces, target)
            print(f"{stage} {step}: held-out cosine {cosine:.4f}, similarity error {error:.4f}", flush=True)
        if minutes and time.monotonic() - begun > 60 * minutes:
            break
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=9000, help="batches of float training (default %(default)s)")
    parser.add_argument("--tune", type=int, default=600, help="batches of quantisation-aware tuning")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="embedder")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    faces, _ = read_faces("fairface_train112")
    target = targets(embed_views("fairface_train112", faces))
    drawn = None
    net = Net(EMBEDDER).to(memory_format=torch.channels_last)
    train(net, "float", options.steps, 4e-3, faces, target, drawn, 0)


if __name__ == "__main__":
    run(main)
