"""What a wrist camera does to a picture: misalignment, light, blur, noise, RGB565; and faces' alignment."""

import cv2
import numpy as np
from data import TEMPLATE112

INPUT = 64
EYES_TO_MOUTH = 1.155  # in eye distances, of TEMPLATE112
CORNER, SHOWN = (3.83, 4.76), 105.2  # the part of the 112x112 alignment that the embedder sees, as the teacher reid0095
TO_INPUT = INPUT / SHOWN * np.float64([[1, 0, -CORNER[0]], [0, 1, -CORNER[1]]])


def similarity(angle_deg, scale, shift, centre):
    """2x3 matrix that turns and scales about `centre`, then shifts."""
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle_deg, scale)
    matrix[:, 2] += shift
    return matrix


def rgb565(picture):
    """Rounded down to five, six and five bits, and expanded again as a camera driver does."""
    red, green, blue = picture[..., 0] & 0xF8, picture[..., 1] & 0xFC, picture[..., 2] & 0xF8
    return np.stack([red | red >> 5, green | green >> 6, blue | blue >> 5], -1)


def light(rng, picture):
    """Gain, contrast and a side light on a grey picture, float 0..255; some are dim."""
    height, width = picture.shape
    x = picture.astype(np.float32)
    gain = np.exp(rng.normal(0, 0.25)) * (rng.uniform(0.3, 0.7) if rng.random() < 0.12 else 1)
    mean = x.mean()
    x = ((x - mean) * np.exp(rng.normal(0, 0.15)) + mean) * gain
    if rng.random() < 0.4:
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
        ramp = np.add.outer(np.linspace(-1, 1, height) * np.sin(angle), np.linspace(-1, 1, width) * np.cos(angle))
        x *= 1 + strength * ramp.astype(np.float32)
    return x


def sensor(rng, x, noise=9):
    """Blur and noise on float 0..255; returns uint8."""
    if rng.random() < 0.35:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.1))
    if rng.random() < 0.5:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(1, noise))
    return np.clip(x + 0.5, 0, 255).astype(np.uint8)


def align64(picture, landmarks, smooth=True):
    """The 64x64 embedder input of a picture with landmarks [5, 2]: similarity (least squares) to the template."""
    matrix = fit_similarity(landmarks, (TEMPLATE112 - CORNER) * (INPUT / SHOWN))
    shrink = np.hypot(matrix[0, 0], matrix[1, 0])
    if smooth and shrink < 0.8:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / shrink)
    return cv2.warpAffine(picture, matrix, (INPUT, INPUT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def fit_similarity(points, onto):
    """Least-squares similarity (2x3) that takes `points` onto `onto`, both [n, 2] (Umeyama 1991, no reflection)."""
    p, q = np.float64(points), np.float64(onto)
    pc, qc = p - p.mean(0), q - q.mean(0)
    norm = (pc**2).sum()
    a = (pc * qc).sum() / norm
    b = (pc[:, 0] * qc[:, 1] - pc[:, 1] * qc[:, 0]).sum() / norm
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (q.mean(0) - turn @ p.mean(0))[:, None]])


def size_of(landmarks):
    """The eye distance, or that from eyes to mouth: the one that a turned face keeps."""
    across, down = landmarks[1] - landmarks[0], landmarks[3:].mean(0) - landmarks[:2].mean(0)
    return max(np.hypot(*across), np.hypot(*down) / EYES_TO_MOUTH)


def plain_view(aligned112):
    """The evaluation input [64, 64, 3] of an aligned 112x112 face: area averaging only."""
    warp = TO_INPUT * 3
    warp[:, 2] += 1  # of the pixels' centres
    large = cv2.warpAffine(np.ascontiguousarray(aligned112), warp, (INPUT * 3, INPUT * 3), flags=cv2.INTER_LINEAR)
    return cv2.resize(large, (INPUT, INPUT), interpolation=cv2.INTER_AREA)
