"""Better landmarks for the context pictures: a look of YuNet errs by 7 % of the eye distance, the mean of five by 3 %.

The data folder's points are one look. Four more are taken at half and at 0.7 of the size, each also mirrored, with the
picture's edge repeated outwards by PAD pixels, for YuNet likes its faces small. Their mean is the label, their spread
says how far to trust it. Kept in build/train.
"""

import cv2
import numpy as np
from augment import size_of
from data import CACHE, data_file, open_context

PAD, SIDE = 48, 224
SCALES = (0.5, 0.7)
STRIDES = (8, 16, 32)
LEAST_SCORE = 0.5
MOST_SPREAD = 0.12  # of a picture's looks, beyond which nothing is to be learned from them
MIRRORED = [1, 0, 2, 4, 3]  # the landmarks of a mirrored face, in their own order


def session():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(data_file("models/yunet_n.onnx"), options, ["CPUExecutionProvider"])


def faces(yunet, picture, scale):
    """(scores [n], landmarks [n, 5, 2] in the BGR picture's pixels) of every cell that takes itself for a face's."""
    width = picture.shape[0]
    side = int(np.ceil(width * scale / 32) * 32)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if side < width else cv2.INTER_LINEAR)
    names = [output.name for output in yunet.get_outputs()]
    answers = yunet.run(None, {yunet.get_inputs()[0].name: small.transpose(2, 0, 1)[None].astype(np.float32)})
    outputs, found = dict(zip(names, answers, strict=True)), []
    for stride in STRIDES:
        cells = np.stack(np.meshgrid(*[np.arange(side // stride)] * 2), -1).reshape(-1, 1, 2)
        score = np.sqrt(np.clip(outputs[f"cls_{stride}"] * outputs[f"obj_{stride}"], 0, 1)).ravel()
        points = (outputs[f"kps_{stride}"].reshape(-1, 5, 2) + cells) * stride
        found.append((score[score > LEAST_SCORE], points[score > LEAST_SCORE] * (width / side)))
    return tuple(np.concatenate(one) for one in zip(*found, strict=True))


def look_again(yunet, picture, landmarks):
    """[1 to 5, 5, 2]: the given landmarks and those of the looks that found the same face."""
    padded = cv2.copyMakeBorder(picture, PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE)
    looks = [landmarks]
    for scale in SCALES:
        for is_mirrored in (False, True):
            score, found = faces(yunet, np.ascontiguousarray(padded[:, ::-1]) if is_mirrored else padded, scale)
            if is_mirrored:
                found = np.stack([padded.shape[1] - found[..., 0], found[..., 1]], -1)[:, MIRRORED]
            score[np.linalg.norm(found - PAD - landmarks, axis=-1).mean(-1) > 0.5 * size_of(landmarks)] = 0
            if score.any():
                looks.append(found[score.argmax()] - PAD)
    return np.stack(looks)


def relabel():
    """(landmarks [n, 5, 2], spread [n]: the looks' mean distance from their mean, in sizes) of the context pictures."""
    cached = CACHE / "context_labels.npz"
    if not cached.is_file():
        yunet, (encoded, given) = session(), open_context()
        points, spread = np.empty_like(given), np.ones(len(given), np.float32)
        for index, landmarks in enumerate(given):
            looks = look_again(yunet, cv2.imdecode(encoded[index], cv2.IMREAD_COLOR), landmarks)
            points[index] = looks.mean(0)
            if len(looks) >= 3:
                spread[index] = np.linalg.norm(looks - looks.mean(0), axis=-1).mean() / size_of(points[index])
            if index % 1000 == 0:
                print(f"landmarks looked at again: {index} of {len(given)}", flush=True)
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cached, points=points, spread=spread)
    with np.load(cached) as found:
        return found["points"], found["spread"]
