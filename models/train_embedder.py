"""Trains the embedder: distils the teacher on FairFace, separates drawn people; then quantisation-aware tuning.

Each stage resumes from its checkpoint in build/train. Only FairFace, drawn people and the teacher shape the weights.
"""

import argparse
import time

import cv2
import numpy as np
import torch
from augment import embedder_view, plain_view
from checkpoint import load, save
from data import HELD_OUT, ROOT, read_faces, read_options, run
from drawn import bank
from metrics import unit
from nets import EMBEDDER, Net, widened
from quantise import calibrate, to_tflite
from teacher import embed_views
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

SEED = 20261124
BATCH = 192
DRAWN = 48  # drawn pictures in a batch, two of each person
WIDTH = 128


class Batches(Dataset):
    """Whole batches, each from its own seed, so that a resumed run sees what an unbroken one would have.

    `real` is (pictures [n, 112, 112, 3], teacher views [2, n, d]); `drawn` is [people, views, 112, 112, 3] or None, its
    pictures follow the faces, two of a person side by side.
    """

    def __init__(self, real, drawn, first, last):
        self.real, self.drawn, self.first, self.last = real, drawn, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        cv2.setNumThreads(1)
        rng = np.random.default_rng([SEED, self.first + index])
        faces, views = self.real
        chosen, mirrored = rng.integers(0, views.shape[1], BATCH), rng.integers(0, 2, BATCH)
        pictures = [embedder_view(rng, faces[i], m) for i, m in zip(chosen, mirrored, strict=True)]
        if self.drawn is not None:
            people = rng.choice(len(self.drawn), DRAWN // 2, replace=False)
            pairs = [(p, v) for p in people for v in rng.choice(self.drawn.shape[1], 2, replace=False)]
            pictures += [embedder_view(rng, self.drawn[p, v], False) for p, v in pairs]
        return to_tensor(np.stack(pictures)), torch.from_numpy(views[mirrored, chosen]), torch.from_numpy(chosen)


def to_tensor(pictures):
    """uint8 NHWC to the float NCHW that the network takes, (x - 128) / 128."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 128) / 128


def distillation(found, target, directions):
    """Cosine to the teacher (to its share along `directions` [d, 128], if any) and all pairwise similarities' error."""
    unit = F.normalize(found)
    relation = (unit @ unit.T - target @ target.T).square().mean()
    aim = target if directions is None else F.normalize(target @ directions)
    return (1 - (unit * aim).sum(1)).mean() + 10 * relation


def recognition(found, chosen, everybody, temperature=0.07):
    """Each face against the teacher's embeddings of all faces, `everybody` [n, 128]: it must be nearest to its own."""
    similarity = F.normalize(found).bfloat16() @ everybody.T
    return F.cross_entropy(similarity.float() / temperature, chosen)


def separation(drawn, faces, temperature=0.1):
    """Drawn pairs (rows 2k and 2k+1) against every other drawn person and every real face (NT-Xent)."""
    unit, others = F.normalize(drawn), F.normalize(faces).detach()
    similarity = torch.cat([unit @ unit.T, unit @ others.T], 1) / temperature
    own = torch.eye(len(unit), dtype=torch.bool)
    similarity[:, : len(unit)] = similarity[:, : len(unit)].masked_fill(own, -1e4)
    return F.cross_entropy(similarity, torch.arange(len(unit)) ^ 1)


def embed_all(net, faces, batch=200):
    """float32 [n, d] outputs for aligned 112x112 faces, without augmentation."""
    net.eval()
    found = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(faces), batch):
            pictures = np.stack([plain_view(face) for face in faces[start : start + batch]])
            found.append(net(to_tensor(pictures).to(memory_format=torch.channels_last)).float().numpy())
    net.train()
    return np.concatenate(found)


def held_out_error(net, faces, views):
    """RMS error of the pairwise similarities on the held-out training faces."""
    found = unit(embed_all(net, faces[-HELD_OUT:]))
    wanted = views[0, -HELD_OUT:]
    return np.sqrt(np.square(found @ found.T - wanted @ wanted.T).mean())


def train(net, stage, steps, rate, real, drawn, directions, check, everybody=None, cycle=None):
    """Runs or resumes one stage of `steps` batches; `check` is (faces, views) to report on.

    The learning rate has one cycle of `cycle` batches; a stage that another follows stops before it has run down.
    """
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=(cycle or steps) + 1, pct_start=0.1)
    done = load(f"embedder.{stage}", net, optimizer, schedule)
    loader = DataLoader(Batches(real, drawn, done, steps), batch_size=None, num_workers=1, prefetch_factor=4)
    begun, sums = time.monotonic(), np.zeros(3)
    net.train()
    for step, (pictures, wanted, chosen) in enumerate(loader, done + 1):
        with torch.autocast("cpu", torch.bfloat16):
            found = net(pictures.to(memory_format=torch.channels_last))
        found = found.float()
        near = distillation(found[:BATCH], wanted, directions)
        apart = separation(found[BATCH:], found[:BATCH]) if drawn is not None else torch.zeros(())
        known = recognition(found[:BATCH], chosen, everybody) if everybody is not None else torch.zeros(())
        (near + 0.1 * (apart + known)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        sums += near.item(), apart.item(), known.item()
        if step % 50 == 0:
            pace = (time.monotonic() - begun) / (step - done)
            parts = "distil {:.4f} drawn {:.4f} known {:.4f}".format(*(sums / 50))
            sums[:] = 0
            print(f"{stage} {step}/{steps} {parts} {pace:.2f} s/step", flush=True)
        if step % 500 == 0 or step == steps:
            save(f"embedder.{stage}", net, optimizer, schedule, step)
            print(f"{stage} {step}: held-out similarity error {held_out_error(net, *check):.4f}", flush=True)


def narrow(wide, faces):
    """The wide network with its outputs' 128 strongest directions only, and those directions [512, 128].

    What a small network can predict of the teacher lies in fewer directions than the teacher uses: its own 128
    strongest hold 60 % of its energy, these 80 % of the student's. They are turned at random, which spreads the
    variance evenly over the components, so that one int8 scale suits them all.
    """
    found = unit(embed_all(wide, faces))
    energy, directions = np.linalg.eigh(found.T @ found)
    turn, _ = np.linalg.qr(np.random.default_rng(SEED).standard_normal((WIDTH, WIDTH)))
    directions = torch.from_numpy((directions[:, -WIDTH:] @ turn).astype(np.float32))
    print(f"128 directions keep {energy[-WIDTH:].sum() / energy.sum():.1%} of the wide network's energy")
    net = Net(EMBEDDER).to(memory_format=torch.channels_last)
    state = wide.state_dict()
    last = f"nodes.{len(net.nodes) - 1}."
    net.load_state_dict({k: v for k, v in state.items() if not k.startswith(last)}, strict=False)
    wide.nodes[-1].fold()
    head = net.nodes[-1]
    head.fold()
    head.conv.weight.data = torch.einsum("oihw,od->dihw", wide.nodes[-1].conv.weight.data, directions)
    head.bias.data = wide.nodes[-1].bias.data @ directions
    return net, directions


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=2500, help="batches of real faces alone (default %(default)s)")
    parser.add_argument("--people", type=int, default=1000, help="batches with drawn people among them")
    parser.add_argument("--tune", type=int, default=250, help="batches of quantisation-aware tuning")
    parser.add_argument("--threads", type=int, default=1, help="of the network; one more makes the batches")
    options = read_options(parser)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    faces, _ = read_faces("fairface_train112")
    views = embed_views("fairface_train112", faces)
    real, check = (faces, views[:, :-HELD_OUT]), (faces, views)

    wide = Net(widened(EMBEDDER, views.shape[-1])).to(memory_format=torch.channels_last)
    train(wide, "faces", options.faces, 4e-3, real, None, None, check, cycle=5000)
    net, directions = narrow(wide, faces[:-HELD_OUT])

    drawn, _, _ = bank()
    train(net, "people", options.people, 3e-3, real, drawn, directions, check, cycle=1600)

    net.fold()
    batches = Batches(real, drawn, 0, 20)
    calibrate(net, [batches[i][0] for i in range(20)])
    net.quantised = True
    everybody = F.normalize(torch.from_numpy(real[1][0]) @ directions).bfloat16()
    train(net, "tune", options.tune, 8e-4, real, drawn, directions, check, everybody)
    (ROOT / "embedder.tflite").write_bytes(to_tflite(net))


if __name__ == "__main__":
    run(main)
