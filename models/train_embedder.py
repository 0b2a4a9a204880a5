"""Trains the embedder: the teacher's weights on coarser grids, distilled from it and its maps; then quantisation-aware.

Each stage resumes from its checkpoint in build/train. Only FairFace, drawn people and the teachers shape the weights.
"""

import argparse
import functools
import gc
import os
import shutil
import time

import cv2
import numpy as np
import torch
from augment import embedder_view, plain_view
from blends import blends
from checkpoint import is_begun, load, save
from coarsen import FACES, coarsened, equalise, normalise, solved
from data import HELD_OUT, ROOT, read_faces, read_options, run
from drawn import bank
from embedder_cpu import Embedder
from hints import Readers, tapped, teacher_maps
from metrics import unit
from nets import EMBEDDER, Net
from quantise import calibrate, to_tflite
from targets import Targets
from teacher import embed_both
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SEED = 20261124
BATCH = 96
GROUPS = 2  # race-and-gender groups in a batch, equally many faces of each
DRAWN = 12  # drawn pictures in a batch, two of each person
HINT = 0.1  # weight of the maps' errors, in variances, in the loss; falls to nothing at a stage's end
WIDTH = EMBEDDER["layers"][-1][1]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WEIGHTS = ROOT / "embedder.npz"  # of the float stage's end, float16, and its Targets: where the next training goes on


class Batches(Dataset):
    """Whole batches, each from its own seed, so that a resumed run sees what an unbroken one would have.

    `real` is (faces [n, 112, 112, 3], members: the rows of each group) and `blends` the same of blended ones;
    `wanted` [n + blends, WIDTH] are the targets of both. Of four pictures two are faces that stay in place, with the
    teacher's `maps` of them, one is a mirrored face and one a blend, mirrored or not. `drawn` is [people, views, 112,
    112, 3]; its pictures follow, two of a person side by side.

    The similarities that must come out right are those within a group, for there false matches happen: so a batch
    holds many faces of few groups, and every group has an equal share of the training whatever its share of the file.
    """

    def __init__(self, real, blends, wanted, drawn, maps, first, last):
        self.real, self.blends, self.wanted, self.drawn, self.maps = real, blends, wanted, drawn, maps
        self.first, self.last = first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([SEED, self.first + index])
        (faces, members), (blends, blended) = self.real, self.blends
        groups = rng.choice(len(members), GROUPS, replace=False)
        chosen = np.concatenate([rng.choice(members[group], BATCH // GROUPS) for group in groups])
        mixed = np.concatenate([rng.choice(blended[group], BATCH // GROUPS // 4) for group in groups])
        pictures = [embedder_view(rng, faces[i], place % 2, still=place % 2 == 0) for place, i in enumerate(chosen)]
        pictures[3::4] = [embedder_view(rng, blends[i], place % 2) for place, i in enumerate(mixed)]
        chosen[3::4] = len(faces) + mixed
        people = rng.choice(len(self.drawn), DRAWN // 2, replace=False)
        pairs = [(p, v) for p in people for v in rng.choice(self.drawn.shape[1], 2, replace=False)]
        pictures += [embedder_view(rng, self.drawn[p, v], False) for p, v in pairs]
        maps = [torch.from_numpy(kept[chosen[::2]]) for kept in self.maps]
        return to_tensor(np.stack(pictures)), torch.from_numpy(self.wanted[chosen]), maps


def read_real(fresh):
    """What shapes the weights, as `Batches` takes it but for drawn people and maps: faces, blends, what is wanted.

    Of faces, and of what is wanted, the last HELD_OUT are in no group. Then the Targets: `fresh` ones or WEIGHTS's own.
    """
    faces, labels = read_faces("fairface_train112")
    groups = np.char.add(labels["race"], labels["gender"])[:-HELD_OUT]
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    blended = blends(faces, members)
    embeddings = embed_both("fairface_train112", faces)
    targets = Targets(embeddings[:-HELD_OUT], groups, WIDTH) if fresh else Targets.of(np.load(WEIGHTS))
    wanted = targets(np.concatenate([embeddings, embed_both("blends", blended[0])]))
    return (faces, members), blended, wanted, targets


def to_tensor(pictures):
    """uint8 NHWC to the float NCHW that the network takes, (x - 128) / 128."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) / 128


def on_device(pictures):
    return pictures.to(DEVICE, memory_format=torch.channels_last)


def distillation(found, wanted):
    """Cosine to the targets, and how far all pairwise similarities are from theirs."""
    unit = F.normalize(found)
    relation = (unit @ unit.T - wanted @ wanted.T).square().mean()
    return (1 - (unit * wanted).sum(1)).mean() + 10 * relation


def recognition(found, target, temperature=0.07):
    """Each face must be nearer to its own target than to any other of the batch."""
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
    return np.concatenate(found)


def held_out_error(net, faces, wanted):
    """On faces that shape no weights: mean cosine to the targets, RMS error of the pairwise similarities."""
    found = unit(embed_all(net, faces))
    return (found * wanted).sum(1).mean(), np.sqrt(np.square(found @ found.T - wanted @ wanted.T).mean())


def last_weights():
    """The network as the last training left it."""
    net = Net(EMBEDDER)
    with np.load(WEIGHTS) as kept:
        net.load_state_dict(
            {name: torch.from_numpy(kept[name]).to(now.dtype) for name, now in net.state_dict().items()}
        )
    return net


def halved(value):
    return value.cpu().half().numpy() if value.is_floating_point() else value.cpu().numpy()


def reread(net, faces, wanted):
    """Least squares makes the last layer, folded, of what the layers before it give of `faces` read `wanted` [n, d]."""
    last, seen = net.nodes[-1], []
    hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(1).double()))
    embed_all(net, faces)
    hook.remove()
    seen = torch.cat(seen)
    wanted = torch.from_numpy(wanted / wanted.std()).to(seen)
    weight, bias, _ = solved(seen, wanted, seen.new_zeros(wanted.shape[1], seen.shape[1]))
    last.conv.weight.data.copy_(weight[..., None, None])
    last.bias.data.copy_(bias)


def first_weights(faces, wanted):
    """The teacher's weights on the coarser grid, its last layer for other targets, with batch norms."""
    rows = np.sort(np.random.default_rng(SEED).choice(len(faces), 8 * FACES, replace=False))
    chosen = np.stack([faces[i] for i in rows])
    net = coarsened(EMBEDDER, chosen[::8])
    reread(net, chosen, wanted[rows])
    normalise(net, to_tensor(np.stack([plain_view(face) for face in chosen[::16]])))
    return net


class Student(nn.Module):
    """The network in training, with the readers of its maps where the teacher's are given as hints."""

    def __init__(self, net, readers=None):
        super().__init__()
        self.net, self.readers = net, readers

    def forward(self, pictures, maps, run=None):
        """(outputs, errors of the maps of every second of the BATCH faces); `run` has the network's place."""
        if self.readers is None:
            return self.net(pictures), pictures.new_zeros(1)
        found, seen = (run or self.net)(pictures, tapped(self.net))
        return found, self.readers([x[:BATCH:2] for x in seen], maps)


def quicker(student, settled, threads):
    """The student, by a way through it that is quicker where there is one and a C++ compiler."""
    has_compiler = shutil.which("g++")
    own = has_compiler and DEVICE == "cpu" and settled and not student.net.quantised
    torch.set_num_threads(1 if own else threads)  # beside our own threads torch's would wait for work, busily
    if own:
        return functools.partial(student, run=Embedder(student.net, threads))
    return torch.compile(student) if has_compiler else student


def training(student, settled):
    student.train()
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(not settled)


def train(student, stage, steps, rate, batches, check, options, settled):
    """Runs or resumes one stage of `steps` batches with the options' threads and workers.

    `check` is (faces, targets) to report on. With `settled` batch norms keep their means and variances. A batch of two
    groups has others than all people have; what it normalises away comes back in use, as a likeness within a group.
    """
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.05)
    done = load(f"embedder.{stage}", student, optimizer, schedule)
    if not done:
        save(f"embedder.{stage}", student, optimizer, schedule, done)
    loader = DataLoader(Batches(*batches, done, steps), batch_size=None, num_workers=options.workers, prefetch_factor=8)
    begun, losses = time.monotonic(), torch.zeros(4, device=DEVICE)
    quick = quicker(student, settled, options.threads)
    training(student, settled)
    gc.freeze()  # or each collection looks at all modules
    for step, (pictures, wanted, maps) in enumerate(loader, done + 1):
        wanted = wanted.to(DEVICE)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=not student.net.quantised):  # which int8 would drown in
            found, hints = quick(on_device(pictures), [kept.to(DEVICE) for kept in maps])
        found, hints = found.float(), hints.sum()
        near = distillation(found[:BATCH], wanted)
        apart = separation(found[BATCH:], found[:BATCH])
        known = recognition(found[:BATCH], wanted)
        (near + 0.1 * (apart + known) + HINT * (1 - step / steps) * hints).backward()
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
        if step % 250 == 0 or step == steps:
            save(f"embedder.{stage}", student, optimizer, schedule, step)
        if step % 1000 == 0 or step == steps:
            near, pairs = held_out_error(student.net, *check)
            print(f"{stage} {step}: held-out cosine {near:.4f}, similarity error {pairs:.4f}", flush=True)
            training(student, settled)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps", type=int, default=7400, help="batches of distillation in float (default %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=8e-4, help="the float stage's highest (default %(default)s; --fresh bears 2e-3)"
    )
    parser.add_argument("--tune", type=int, default=250, help="batches of quantisation-aware tuning")
    cores = os.cpu_count() or 1
    parser.add_argument("--threads", type=int, default=cores, help="of the network, on a CPU (default: %(default)s)")
    parser.add_argument(
        "--workers", type=int, default=max(1, cores // 4), help="that make the batches (default: %(default)s)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help=f"from the teacher's weights, not {WEIGHTS.name}'s; resumes so too"
    )
    options = read_options(parser)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    real, blended, wanted, targets = read_real(options.fresh)
    faces, shaping = real[0], len(real[0]) - HELD_OUT
    check = faces[shaping:], wanted[shaping : len(faces)]
    drawn = bank()

    new = options.fresh and not is_begun("embedder.float")
    net = on_device(first_weights(faces[:shaping], wanted) if new else last_weights())
    sizes = [net.nodes[tap].out_size for tap in tapped(net)]
    maps = teacher_maps("fairface_train112", faces[:shaping], sizes)
    some = on_device(to_tensor(np.stack([plain_view(face) for face in faces[:1024]])))
    student = Student(net, Readers(net, some, [kept[:1024] for kept in maps]))
    batches = real, blended, wanted, drawn
    train(student, "float", options.steps, options.rate, (*batches, maps), check, options, not options.fresh)
    weights = {name: halved(value) for name, value in net.state_dict().items()}
    np.savez_compressed(WEIGHTS, **weights, **targets.arrays())

    net.eval().fold()
    some = Batches(*batches, [], 0, 40)
    some = [on_device(some[index][0]) for index in range(40)]
    equalise(net, torch.cat(some[:4]))
    calibrate(net, some)
    net.quantised = True
    if options.tune:
        train(Student(net), "tune", options.tune, 1e-4, (*batches, []), check, options, True)
    (ROOT / "embedder.tflite").write_bytes(to_tflite(net.cpu()))


if __name__ == "__main__":
    run(main)
