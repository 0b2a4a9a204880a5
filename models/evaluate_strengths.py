"""What a wrist camera's troubles cost the embedder: each at five strengths, on one picture of genuine LFW pairs."""

import cv2
import metrics
import numpy as np
from augment import similarity
from data import TEMPLATE112, read_lfw

SEED = 17
PAIRS = 100


def warped(picture, turn_deg=0.0, growth=1.0, shift=(0.0, 0.0)):
    matrix = similarity(turn_deg, growth, shift, TEMPLATE112.mean(0))
    return cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def fewer_pixels(picture, side):
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (112, 112), interpolation=cv2.INTER_LINEAR)


def lit(picture, gain):
    return np.clip(picture * float(gain), 0, 255).astype(np.uint8)


def back_lit(picture, strength):
    """The face darker by `strength`, the surroundings brighter, and a veil of glare over all."""
    y, x = np.mgrid[:112, :112]
    face = np.exp(-((((x - 56) / 34) ** 2 + ((y - 66) / 46) ** 2) ** 2))[..., None]
    dark = picture * (1 - strength * face) + 120 * strength * (1 - face)
    return np.clip(dark * (1 - 0.2 * strength) + 50 * strength, 0, 255).astype(np.uint8)


def compressed(picture, quality):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def noisy(picture, deviation, rng):
    return np.clip(picture + rng.normal(0, deviation, picture.shape), 0, 255).astype(np.uint8)


def with_glasses(picture, rim):
    """Dark frames about the eyes, `rim` pixels wide; from 8 on they are sunglasses."""
    picture = picture.copy()
    for x, y in TEMPLATE112[:2]:
        cv2.ellipse(
            picture,
            (round(float(x)), round(float(y)) + 2),
            (14, 11),
            0,
            0,
            360,
            (25, 25, 25),
            -1 if rim >= 8 else int(rim),
            cv2.LINE_AA,
        )
    cv2.line(picture, (50, 51), (62, 51), (25, 25, 25), 2)
    return picture


def low(picture, lean):
    """From below: the lower edge wider by `lean` parts than the upper one."""
    near = 56 * lean
    there = np.float32([[near, 0], [112 - near, 0], [112 + near, 112], [-near, 112]])
    here = np.float32([[0, 0], [112, 0], [112, 112], [0, 112]])
    return cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(here, there),
        (112, 112),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


# name: (what the strength is, five strengths, function of picture, strength and random generator)
TROUBLES = {
    "out of focus": ("deviation, px of 112", (0.7, 1.4, 2.1, 2.8, 4), lambda p, s, r: cv2.GaussianBlur(p, (0, 0), s)),
    "moved": ("length, px of 112", (3, 5, 7, 11, 15), lambda p, s, r: cv2.blur(p, (s, 1))),
    "noise": ("deviation of 255", (5, 10, 15, 25, 40), noisy),
    "dim": ("light", (0.7, 0.5, 0.3, 0.2, 0.1), lambda p, s, r: lit(lit(p, s), 1) // 8 * 8),
    "bright": ("light", (1.3, 1.6, 2, 2.5, 3), lambda p, s, r: lit(p, s)),
    "back light": ("strength", (0.2, 0.35, 0.5, 0.65, 0.8), lambda p, s, r: back_lit(p, s)),
    "from below": ("lean", (0.03, 0.06, 0.1, 0.15, 0.2), lambda p, s, r: low(p, s)),
    "JPEG": ("quality", (70, 50, 30, 15, 8), lambda p, s, r: compressed(p, s)),
    "few pixels": ("px along the face", (56, 40, 28, 20, 14), lambda p, s, r: fewer_pixels(p, s)),
    "misaligned": ("px of 112", (1, 2, 3, 5, 8), lambda p, s, r: warped(p, shift=r.choice((-1, 1), 2) * s / 2**0.5)),
    "turned in the picture": ("degrees", (2, 4, 7, 10, 15), lambda p, s, r: warped(p, turn_deg=s * r.choice((-1, 1)))),
    "wrong size": ("parts", (1.03, 1.06, 1.1, 1.15, 1.25), lambda p, s, r: warped(p, growth=s)),
    "glasses": ("rim, px; 8: dark", (1, 2, 3, 5, 8), lambda p, s, r: with_glasses(p, s)),
}  # fmt: skip


def evaluate(networks):
    """{trouble: {"unit", "strengths", network's name: [TAR at its threshold at each strength]}}, "none" first.

    networks: {name: (function of an aligned 112x112 face, threshold)}.
    """
    pictures, pairs = read_lfw()
    genuine = pairs[pairs["same"] == 1]
    genuine = genuine[np.linspace(0, len(genuine) - 1, PAIRS).astype(int)]
    first, second = ([pictures[name] for name in genuine[column]] for column in ("img_a", "img_b"))
    known = {name: metrics.unit([embed(face) for face in first]) for name, (embed, _) in networks.items()}

    def accepted(name, shown):
        embed, threshold = networks[name]
        seen = metrics.unit([embed(face) for face in shown])
        return metrics.rate_above(np.einsum("ij,ij->i", known[name], seen), threshold)

    found = {"none": {"unit": "", "strengths": [], **{name: [accepted(name, second)] for name in networks}}}
    for trouble, (unit, strengths, change) in TROUBLES.items():
        found[trouble] = {"unit": unit, "strengths": list(strengths), **{name: [] for name in networks}}
        for strength in strengths:
            rng = np.random.default_rng(SEED)
            shown = [change(face, strength, rng) for face in second]
            for name in networks:
                found[trouble][name].append(accepted(name, shown))
    return found
