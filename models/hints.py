"""The teacher's maps at five depths as targets beside its embedding (Romero et al. 2015, FitNets).

They say what is right at each place of the map, 57,000 numbers a face where the embedding has 256, and hold on faces
the network never saw: with few faces they keep it from learning those by heart.
"""

import numpy as np
import torch
from augment import INPUT
from data import CACHE
from reid import Reid, at_grid, coarse_view
from torch import nn
from torch.nn import functional as F

PLACES = (0, 4, 8, 11, 14)  # blocks whose outputs are hinted: the ends of the stages, and the middle of the long one
STEP = 1 / 24  # standard deviations of a channel in one count of the kept int8


def tapped(net):
    """Index of the node that completes each of PLACES."""
    kinds = [node.kind for node in net.nodes]
    ends = [index + (kinds[index + 1] == "add") for index, kind in enumerate(kinds) if kind == "gate"]
    return tuple(ends[place] for place in PLACES)


def teacher_maps(name, faces, sizes, batch=64):
    """[int8 [n, size, size, c] of STEP standard deviations about the mean] for PLACES, kept in build/train.

    The teacher sees what the student can: each face at the student's resolution, enlarged.
    """
    files = [CACHE / f"{name}.reid{place}.npy" for place in PLACES]
    if not all(file.is_file() for file in files):
        for file, maps in zip(files, computed_maps(faces, sizes, batch), strict=True):
            np.save(file, maps)
    return [np.load(file, mmap_mode="r") for file in files]


def computed_maps(faces, sizes, batch):
    teacher, kept, scales = Reid(), [], None
    for start in range(0, len(faces), batch):
        features = teacher.features(teacher.prepared(np.stack([coarse_view(x) for x in faces[start : start + batch]])))
        maps = [
            at_grid(features[place + 1], size, INPUT // size).permute(0, 2, 3, 1)
            for place, size in zip(PLACES, sizes, strict=True)
        ]
        if scales is None:  # any fixed scale will do
            kept = [np.empty((len(faces), *found.shape[1:]), np.int8) for found in maps]
            scales = [(found.mean((0, 1, 2)), found.std((0, 1, 2)) * STEP) for found in maps]
        for all_maps, found, (mean, step) in zip(kept, maps, scales, strict=True):
            all_maps[start : start + batch] = ((found - mean) / step).round().clamp(-127, 127)
        if start % (batch * 50) == 0:
            print(f"hints: teacher's maps of {start} of {len(faces)} faces", flush=True)
    return kept


class Readers(nn.Module):
    """A linear reading of the student's map for each of PLACES; they are for training only."""

    def __init__(self, net, inputs, maps, batch=128):
        """Fitted by least squares on `inputs` (NCHW) and their teacher's `maps`."""
        super().__init__()
        self.readers, found = nn.ModuleList(), []
        net.eval()
        with torch.no_grad():
            for part in inputs.split(batch):
                found.append([x.permute(0, 2, 3, 1).float() for x in net(part, tapped(net))[1]])
        net.train()
        for own, wanted in zip(zip(*found, strict=True), maps, strict=True):
            own, wanted = torch.cat(own).flatten(0, 2).double(), torch.from_numpy(wanted).to(inputs.device) * STEP
            wanted = wanted.flatten(0, 2).double()
            own = torch.cat([own, torch.ones_like(own[:, :1])], 1)
            gram = own.T @ own
            gram += 1e-4 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
            solved = torch.linalg.solve(gram, own.T @ wanted).T.float()
            reader = nn.Linear(solved.shape[1] - 1, len(solved), device=inputs.device)
            reader.weight.data, reader.bias.data = solved[:, :-1].contiguous(), solved[:, -1].contiguous()
            self.readers.append(reader)

    def forward(self, found, wanted):
        """Mean squared errors in variances [len(PLACES)]: `found` NCHW maps, `wanted` int8 [n, size, size, c]."""
        return torch.stack(
            [
                F.mse_loss(reader(x.permute(0, 2, 3, 1)).float(), target * STEP)
                for reader, x, target in zip(self.readers, found, wanted, strict=True)
            ]
        )
