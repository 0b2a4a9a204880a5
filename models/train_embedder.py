"""Trains the embedder in float: the teacher's weights on coarser grids, distilled from both teachers.

Resumes from its checkpoint in build/train; quantise_embedder.py makes int8 of what comes out. Only FairFace, drawn
people and the teachers shape weights.
"""

import argparse
import gc
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from blends import blends
from checkpoint import is_begun, load, save
from coarsen import FACES, coarsened, normalise, solved
from data import HELD_OUT, ROOT, read_faces, read_options, run
from drawn import bank
from embedder_cpu import Embedder
from metrics import unit
from nets import EMBEDDER, Net
from targets import Targets
from teacher import embed_both
from torch import nn
from torch.nn import functional as F
from views import DEVICE, QUICK, Dice, floats, plain, seen, to_input

SEED = 20261124
GROUPS = 4  # race-and-gender groups in a batch, equally many faces of each
REAL = 4  # one picture in so many is a face, the others are blends
WIDTH = EMBEDDER["layers"][-1][1]
CHECKPOINT = "embedder.float"
WEIGHTS = ROOT / "embedder.npz"  # of the training's end, float16, and its Targets: where the next training goes on


class Batches:
    """Whole batches of `size` pictures, each from its own seed, so that a resumed run sees what an unbroken one would.

    `faces` and `blends` (uint8 NHWC on DEVICE) are in order of their groups, those of face group i are
    starts[i]:starts[i + 1], and blends have equally many of each; `wanted` [faces + blends, WIDTH] are the targets of
    both. `drawn` is [people, views, 112, 112, 3]; an eighth as many of its pictures follow, two of a person together.

    The similarities that must come out right are those within a group, for there false matches happen: so a batch
    holds many faces of few groups, and every group has an equal share of the training whatever its share of the file.
    """

    def __init__(self, faces, starts, blends, wanted, drawn, size):
        self.faces, self.parts, self.blends, self.size = faces, list(pairwise(starts)), blends, size
        self.wanted, self.drawn = torch.from_numpy(wanted).to(DEVICE), torch.from_numpy(drawn).to(DEVICE)

    def __getitem__(self, step):
        """(inputs of faces, blends and drawn people, targets of the first two)."""
        dice, each, count = Dice(SEED, step), self.size // GROUPS, len(self.blends) // len(self.parts)
        rows, mixed = [], []
        for group in np.random.default_rng([SEED, step]).choice(len(self.parts), GROUPS, replace=False).tolist():
            start, end = self.parts[group]
            rows.append(start + dice.below(end - start, each // REAL))
            mixed.append(group * count + dice.below(count, each - each // REAL))
        rows, mixed = torch.cat(rows), torch.cat(mixed)
        people, views = self.drawn.shape[:2]
        person = dice.uniform(0, 1, people, 1)[:, 0].topk(self.size // 16).indices
        first = dice.below(views, len(person))
        second = (first + 1 + dice.below(views - 1, len(person))) % views
        pair = torch.stack([person * views + first, person * views + second], 1).flatten()
        x = floats(torch.cat([self.faces[rows], self.blends[mixed]]))
        x = torch.where(dice.share(0.5, len(x)), x.flip(3), x)
        x = torch.cat([x, floats(self.drawn.flatten(0, 1)[pair])])
        return on_device(seen(dice, x)), self.wanted[torch.cat([rows, len(self.faces) + mixed])]

    def ahead(self, first, last):
        """Those from `first` up to `last`, each made while the one before it is in use."""
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            coming = pool.submit(self.__getitem__, first)
            for step in range(first, last):
                ready, coming = coming.result(), pool.submit(self.__getitem__, step + 1)
                yield ready


def read_real(fresh, count):
    """What shapes the weights, as `Batches` takes it but for drawn people, with about `count` blends.

    The last HELD_OUT of the faces are in no group. Then the Targets: `fresh` ones or WEIGHTS's own.
    """
    faces, labels = read_faces("fairface_train112")
    groups = np.char.add(labels["race"], labels["gender"])[:-HELD_OUT]
    order, (names, sizes) = np.argsort(groups, kind="stable"), np.unique(groups, return_counts=True)
    starts = [0, *np.cumsum(sizes).tolist()]
    faces = torch.from_numpy(np.concatenate([faces[order], faces[-HELD_OUT:]])).to(DEVICE)
    mixed = blends(faces, starts, count // len(names))
    embeddings = embed_both("faces", faces)
    targets = Targets(embeddings[:-HELD_OUT], groups[order], WIDTH) if fresh else Targets.of(np.load(WEIGHTS))
    wanted = targets(np.concatenate([embeddings, embed_both(f"blends{len(mixed)}.{DEVICE.type}", mixed)]))
    return faces, starts, mixed, wanted, targets


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
    """float32 [n, d] outputs for aligned faces, uint8 [n, 112, 112, 3], as they are."""
    net.eval()
    quick = QUICK != torch.float32 and not net.quantised  # bfloat16's digits are too few for int8's steps
    with torch.no_grad(), torch.autocast(DEVICE.type, QUICK, enabled=quick):
        inputs = (on_device(to_input(plain(floats(part.to(DEVICE))))) for part in faces.split(batch))
        return torch.cat([net(x).float() for x in inputs]).cpu().numpy()


def held_out_error(net, faces, wanted):
    """On faces that shape no weights: mean cosine to the targets, RMS error of the pairwise similarities."""
    found = unit(embed_all(net, faces))
    return (found * wanted).sum(1).mean(), np.sqrt(np.square(found @ found.T - wanted @ wanted.T).mean())


def last_weights():
    """The network as the last training left it."""
    net = Net(EMBEDDER)
    with np.load(WEIGHTS) as kept:
        weights = {name: torch.from_numpy(kept[name]).to(now.dtype) for name, now in net.state_dict().items()}
    net.load_state_dict(weights)
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
    chosen = faces[torch.from_numpy(rows).to(DEVICE)]
    net = coarsened(EMBEDDER, chosen[::8])
    reread(net, chosen, wanted[rows])
    normalise(net, to_input(plain(floats(chosen[::16]))))
    return net


def quicker(net, settled, threads):
    """A way through the network that is quicker than its own where there is one and a C++ compiler."""
    has_compiler = shutil.which("g++")
    own = has_compiler and DEVICE.type == "cpu" and QUICK == torch.bfloat16 and settled
    torch.set_num_threads(1 if own else threads)  # beside our own threads torch's would wait for work, busily
    if own:
        return Embedder(net, threads)
    return torch.compile(net) if has_compiler else net


def training(net, settled):
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(not settled)


def train(net, steps, rate, batches, check, threads, settled):
    """Runs or resumes training on `steps` batches; `check` is (faces, targets) to report on.

    With `settled` batch norms keep their means and variances. A batch of few groups has others than all people have;
    what it normalises away comes back in use, as a likeness within a group.
    """
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.05)
    done = load(CHECKPOINT, net, optimizer, schedule)
    if not done:
        save(CHECKPOINT, net, optimizer, schedule, done)
    begun, losses = time.monotonic(), torch.zeros(3, device=DEVICE)
    quick = quicker(net, settled, threads)
    training(net, settled)
    gc.freeze()  # or each collection looks at all modules
    for step, (pictures, wanted) in enumerate(batches.ahead(done, steps), done + 1):
        with torch.autocast(DEVICE.type, QUICK, enabled=QUICK != torch.float32):
            found = quick(pictures).float()
        faces, drawn = found[: len(wanted)], found[len(wanted) :]
        near, apart, known = distillation(faces, wanted), separation(drawn, faces), recognition(faces, wanted)
        (near + 0.1 * (apart + known)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses += torch.stack([near, apart, known]).detach()
        if step % 50 == 0:
            parts = "distil {:.4f} drawn {:.4f} known {:.4f}".format(*(losses / 50).tolist())
            pace = (time.monotonic() - begun) / (step - done)
            losses.zero_()
            print(f"{step}/{steps} {parts} {pace:.3f} s/step", flush=True)
        if step % 250 == 0 or step == steps:
            save(CHECKPOINT, net, optimizer, schedule, step)
        if step % 1000 == 0 or step == steps:
            error, pairs = held_out_error(net, *check)
            print(f"{step}: held-out cosine {error:.4f}, similarity error {pairs:.4f}", flush=True)
            training(net, settled)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=7400, help="batches (default %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=8e-4, help="the highest (default %(default)s; --fresh bears 2e-3)"
    )
    parser.add_argument("--batch", type=int, default=96, help="faces in a batch (default %(default)s)")
    parser.add_argument("--blends", type=int, default=28_000, help="faces that nobody has (default %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="of the network, on a CPU (default: %(default)s)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help=f"from the teacher's weights, not {WEIGHTS.name}'s; resumes so too"
    )
    options = read_options(parser)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    faces, starts, mixed, wanted, targets = read_real(options.fresh, options.blends)
    shaping = starts[-1]
    check = faces[shaping:], wanted[shaping : len(faces)]
    batches = Batches(faces, starts, mixed, wanted, bank(), options.batch)

    new = options.fresh and not is_begun(CHECKPOINT)
    net = on_device(first_weights(faces[:shaping], wanted) if new else last_weights())
    train(net, options.steps, options.rate, batches, check, options.threads, not options.fresh)
    weights = {name: halved(value) for name, value in net.state_dict().items()}
    np.savez_compressed(WEIGHTS, **weights, **targets.arrays())


if __name__ == "__main__":
    run(main)
