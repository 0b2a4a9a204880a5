"""Embeddings of the teacher networks, computed once and kept in build/train."""

import numpy as np
from data import CACHE, data_file


def session(name, threads=2):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data_file(f"models/{name}.onnx"), options, providers=["CPUExecutionProvider"])


def embed(network, pictures, raw=False, batch=64):
    """Unit embeddings [n, d] of 112x112 RGB pictures; the network takes (x - 127.5) / 127.5, or 0..255 when `raw`."""
    name, found = network.get_inputs()[0].name, []
    for start in range(0, len(pictures), batch):
        x = np.asarray(pictures[start : start + batch], np.float32).transpose(0, 3, 1, 2)
        x = np.ascontiguousarray(x if raw else (x - 127.5) / 127.5)
        found.append(network.run(None, {name: x})[0].reshape(len(x), -1))
        if start and start % (batch * 50) == 0:
            print(f"teacher: {start} of {len(pictures)}", flush=True)
    found = np.concatenate(found).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def embed_both(name, faces):
    """float32 [n, 256 + 512]: unit embeddings by reid0095 and by MBF side by side.

    `faces` are aligned ones, uint8 [n, 112, 112, 3] on views.DEVICE; `name` names the cache file.
    """
    cached = CACHE / f"{name}.both.npy"
    if not cached.is_file():
        import torch
        from mbf import Mbf
        from reid import Reid

        teachers, found, batch = (Reid(), Mbf()), [], 512 if faces.is_cuda else 64
        for part in faces.split(batch):
            found.append(torch.cat([teacher.embed(part) for teacher in teachers], 1).half().cpu().numpy())
            if len(found) % 50 == 0:
                print(f"teachers: {len(found) * batch} of {len(faces)} {name}", flush=True)
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.save(cached, np.concatenate(found))
    return np.load(cached).astype(np.float32)
