"""Trains the embedder: the teacher's weights on coarser grids, distilled from it and its maps; then quantisation-aware.

Each stage resumes from its checkpoint in build/train. Only FairFace, drawn people and the teachers shape the weights.
"""

import argparse
import os
import shutil
import time

import cv2
import numpy as np
import torch
from augment import embedder_view, plain_view
from checkpoint import is_begun, load, save
from coarsen import FACES, coarsened, normalise
from data import HELD_OUT, ROOT, read_faces, read_options, run
from drawn import bank
from hints import Readers, tapped, teacher_maps
from metrics import unit
from nets import EMBEDDER, Net
from quantise import calibrate, to_tflite
from teacher import embed_views
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SEED = 20261124
BATCH = 96
GROUPS = 2  # race-and-gender groups in a batch, equally many faces of each
DRAWN = 12  # drawn pictures in a batch, two of each person
RATE = 2e-3
HINT = 0.3  # weight of the maps' errors, in variances, in the loss
WIDTH = EMBEDDER["layers"][-1][1]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WEIGHTS = ROOT / "embedder.npz"  # of the float stage's end, float16: where the next training goes on


class Batches(Dataset):
    """Whole batches, each from its own seed, so that a resumed run sees what an unbroken one would have.

    `real` is (pictures [n, 112, 112, 3], teacher views [2, n, d], members: the rows of each group); every second face
    is mirrored. `drawn` is [people, views, 112, 112, 3], its pictures follow the faces, two of a person side by side.
    `maps` are the teacher's of the faces, which those that aren't mirrored bring along.

    The similarities that must come out right are those within a group, for there false matches happen: so a batch
    holds many faces of few groups, and every group has an equal share of the training whatever its share of the file.
    """

    def __init__(self, real, drawn, maps, first, last):
        self.real, self.drawn, self.maps, self.first, self.last = real, drawn, maps, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([SEED, self.first + index])
        faces, views, members = self.real
        groups = rng.choice(len(members), GROUPS, replace=False)
        chosen = np.concatenate([rng.choice(members[group], BATCH // GROUPS) for group in groups])
        mirrored = np.arange(BATCH) % 2
        pictures = [embedder_view(rng, faces[i], m, still=not m) for i, m in zip(chosen, mirrored, strict=True)]
        people = rng.choice(len(self.drawn), DRAWN // 2, replace=False)
        pairs = [(p, v) for p in people for v in rng.choice(self.drawn.shape[1], 2, replace=False)]
        pictures += [embedder_view(rng, self.drawn[p, v], False) for p, v in pairs]
        maps = [torch.from_numpy(kept[chosen[::2]]) for kept in self.maps]
        return to_tensor(np.stack(pictures)), torch.from_numpy(views[mirrored, chosen]), maps


def read_real():
    """(pictures, teacher views, members) of the training faces; (pictures, views) of all, the held-out ones last."""
    faces, labels = read_faces("fairface_train112")
    views = embed_views("fairface_train112", faces)
    groups = np.char.add(labels["race"], labels["gender"])[:-HELD_OUT]
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return (faces, views[:, :-HELD_OUT], members), (faces, views)


def to_tensor(pictures):
    """uint8 NHWC to the float NCHW that the network takes, (x - 128) / 128."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) / 128


def on_device(pictures):
    return pictures.to(DEVICE, memory_format=torch.channels_last)


def distillation(found, wanted):
    """Cosine to the teacher, and how far all pairwise similarities are from the mean of both teachers'.

    `wanted` [n, 768] is of `embed_views`. The second teacher, MBF, tells people of one group apart more evenly.
    """
    unit = F.normalize(found)
    relation = (unit @ unit.T - wanted @ wanted.T / 2).square().mean()
    return (1 - (unit * wanted[:, :WIDTH]).sum(1)).mean() + 10 * relation


def recognition(found, target, temperature=0.07):
    """Each face must be nearer to the teacher's word on it than to that on any other of the batch."""
    return F.cross_entropy(F.normalize(found) @ target.T / temperature, torch.arange(len(found), device=found.device))


def separation(drawn, faces, temperature=0.1):
    """Drawn pairs (rows 2k and 2k+1) against every other drawn person and every real face (NT-Xent)."""
    unit, others = F.normalize(drawn), F.normalize(faces).detach()
    similarity = torch.cat([unit @ unit.T, unit @ others.T], 1) / temperature
    own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity[:, : len(unit)] = similarity[:, : len(unit)].masked_fill(own, -1e4)
    return F.cross_entropy(similarity, torch.arange(len(unit), device=unit.device) ^ 1)


def embed_all(net, faces, batch=200):
    """float32 [n, d] outputs for aligned 112x112 faces, without augmentation."""
    net.eval()
    found = []
    with torch.no_grad(), torch.autocast(DEVICE, torch.bfloat16):
        for start in range(0, len(faces), batch):
            pictures = np.stack([plain_view(face) for face in faces[start : start + batch]])
            found.append(net(on_device(to_tensor(pictures))).float().cpu().numpy())
    net.train()
    return np.concatenate(found)


def held_out_error(net, faces, views):
    """On the held-out training faces: mean cosine to the teacher, RMS error of the pairwise similarities to both."""
    found = unit(embed_all(net, faces[-HELD_OUT:]))
    wanted = views[0, -HELD_OUT:]
    pairs = found @ found.T - wanted @ wanted.T / 2
    return (found * wanted[:, :WIDTH]).sum(1).mean(), np.sqrt(np.square(pairs).mean())


def last_weights():
    """The network as the last training left it; new where there was none."""
    net = Net(EMBEDDER)
    if WEIGHTS.is_file():
        with np.load(WEIGHTS) as kept:
            net.load_state_dict(
                {name: torch.from_numpy(kept[name]).to(now.dtype) for name, now in net.state_dict().items()}
            )
    return net


def halved(value):
    return value.cpu().half().numpy() if value.is_floating_point() else value.cpu().numpy()


def first_weights(faces):
    """The teacher's weights on the coarser grid, with batch norms."""
    chosen = np.sort(np.random.default_rng(SEED).choice(len(faces), FACES, replace=False))
    chosen = np.stack([faces[i] for i in chosen])
    net = coarsened(EMBEDDER, chosen)
    normalise(net, to_tensor(np.stack([plain_view(face) for face in chosen[:512]])))
    return net


def compiled(net):
    """The module fused by torch.compile where there is a C++ compiler: a third faster."""
    return torch.compile(net) if shutil.which("g++") else net


class Student(nn.Module):
    """The network in training, with the readers of its maps where the teacher's are given as hints."""

    def __init__(self, net, readers=None):
        super().__init__()
        self.net, self.readers = net, readers

    def forward(self, pictures, maps):
        """(outputs, errors of the maps of every second of the BATCH faces)."""
        if self.readers is None:
            return self.net(pictures), pictures.new_zeros(1)
        found, seen = self.net(pictures, tapped(self.net))
        return found, self.readers([x[:BATCH:2] for x in seen], maps)


def train(student, stage, steps, rate, batches, check, workers):
    """Runs or resumes one stage of `steps` batches made by `workers`; `check` is (faces, views) to report on."""
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.05)
    done = load(f"embedder.{stage}", student, optimizer, schedule)
    if not done:
        save(f"embedder.{stage}", student, optimizer, schedule, done)
    loader = DataLoader(Batches(*batches, done, steps), batch_size=None, num_workers=workers, prefetch_factor=8)
    begun, losses = time.monotonic(), torch.zeros(4, device=DEVICE)
    student.train()
    fused = compiled(student)
    for step, (pictures, wanted, maps) in enumerate(loader, done + 1):
        wanted = wanted.to(DEVICE)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=not student.net.quantised):  # which int8 would drown in
            found, hints = fused(on_device(pictures), [kept.to(DEVICE) for kept in maps])
        found, hints = found.float(), hints.sum()
        near = distillation(found[:BATCH], wanted)
        apart = separation(found[BATCH:], found[:BATCH])
        known = recognition(found[:BATCH], wanted[:, :WIDTH])
        (near + 0.1 * (apart + known) + HINT * hints).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses += torch.stack([near, apart, known, hints]).detach()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - done)
            parts = "distil {:.4f} drawn {:.4f} known {:.4f} maps {:.4f}".format(*(losses / 50).tolist())
            losses.zero_()
            print(f"{stage} {step}/{steps} {parts} {pace:.3f} s/step", flush=True)
        if step % 500 == 0 or step == steps:
            save(f"embedder.{stage}", student, optimizer, schedule, step)
            near, pairs = held_out_error(student.net, *check)
            print(f"{stage} {step}: held-out cosine {near:.4f}, similarity error {pairs:.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps", type=int, default=7400, help="batches of distillation in float (default %(default)s)"
    )
    parser.add_argument("--tune", type=int, default=200, help="batches of quantisation-aware tuning")
    parser.add_argument("--threads", type=int, default=1, help="of the network, on a CPU")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1), help="that make the batches")
    parser.add_argument("--fresh", action="store_true", help=f"from the teacher's weights, not from {WEIGHTS.name}")
    options = read_options(parser)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    real, check = read_real()
    drawn = bank()

    begun = is_begun("embedder.float") or (WEIGHTS.is_file() and not options.fresh)
    net = on_device(last_weights() if begun else first_weights(real[0][: real[1].shape[1]]))
    sizes = [net.nodes[tap].out_size for tap in tapped(net)]
    maps = teacher_maps("fairface_train112", real[0][: real[1].shape[1]], sizes)
    some = on_device(to_tensor(np.stack([plain_view(face) for face in real[0][:1024]])))
    student = Student(net, Readers(net, some, [kept[:1024] for kept in maps]))
    train(student, "float", options.steps, RATE, (real, drawn, maps), check, options.workers)
    np.savez_compressed(WEIGHTS, **{name: halved(value) for name, value in net.state_dict().items()})
    net.fold()

    batches = Batches(real, drawn, [], 0, 40)
    calibrate(net, [on_device(batches[i][0]) for i in range(40)])
    net.quantised = True
    train(Student(net), "tune", options.tune, 5e-5, (real, drawn, []), check, options.workers)
    (ROOT / "embedder.tflite").write_bytes(to_tflite(net.cpu()))


if __name__ == "__main__":
    run(main)
