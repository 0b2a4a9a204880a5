"""What makes one drawn person differ from the next: shape, colours and hair, from a seed."""

import math
from dataclasses import dataclass

import numpy as np

# name: (low, high). Lengths in mm on an adult head unless the comment says otherwise. The ends of a range are drawn
# more often than its middle: two people should rarely look alike (measured with a face network, evenly drawn shapes
# had a mean similarity between people of 0.35, these of 0.30).
SHAPE: dict[str, tuple[float, float]] = {
    "face_width": (61.0, 84.0),  # half the width at the cheekbones
    "jaw_width": (0.66, 1.03),  # width at the jaw, as part of face_width
    "chin_width": (0.36, 0.66),  # width near the chin, as part of face_width
    "forehead_width": (0.86, 1.02),
    "face_length": (95.0, 125.0),  # eye line to the underside of the chin
    "cranium": (103.0, 120.0),  # eye line to the crown
    "chin_forward": (-6.0, 8.0),
    "chin_ball": (0.0, 5.0),
    "chin_cleft": (-3.0, 1.2),  # drawn when above 0
    "jaw_corner": (-1.0, 6.0),
    "cheekbone": (0.0, 9.0),
    "cheek_fill": (-7.0, 8.0),
    "forehead_slope": (-8.0, 5.0),
    "brow_ridge": (0.0, 5.0),
    "socket_depth": (1.0, 10.0),
    "eye_spacing": (25.0, 38.5),  # half the distance between the eyes' centres
    "eye_width": (11.5, 17.5),  # half the lid opening
    "eye_height": (3.2, 7.8),  # half the lid opening
    "eye_slant": (-0.24, 0.32),  # rise of the outer corner over the opening's width
    "eye_round": (0.75, 1.7),  # where the upper lid is highest: exponent of its arch
    "lid_crease": (0.0, 1.0),  # 0 single lid, 1 deep crease
    "lid_crease_height": (2.6, 6.0),
    "epicanthus": (-1.0, 1.0),  # drawn when above 0
    "iris_size": (5.5, 6.5),
    "lashes": (0.2, 1.0),
    "eye_bags": (0.0, 1.0),
    "brow_height": (10.0, 22.0),
    "brow_length": (17.0, 24.0),
    "brow_thick": (1.6, 7.0),
    "brow_arch": (-1.0, 5.5),
    "brow_tilt": (-7.0, 8.0),
    "brow_gap": (-3.0, 4.0),
    "brow_dark": (0.25, 1.0),
    "nose_length": (26.0, 48.0),
    "nose_height": (13.0, 28.0),
    "nose_bridge": (3.0, 13.0),  # height of the bridge between the eyes
    "nose_bridge_width": (6.0, 12.0),
    "nose_tip_width": (7.5, 14.0),
    "nose_wing": (11.5, 21.5),  # half the width at the wings
    "nose_hump": (-3.0, 4.0),
    "nose_tip_turn": (-4.0, 4.5),  # tip up or down
    "nose_bend": (-2.0, 2.0),
    "nostrils": (0.3, 1.0),
    "lip_gap": (0.28, 0.53),  # mouth line between nose tip and chin
    "mouth_width": (17.5, 32.0),  # half
    "lip_upper": (1.8, 7.5),
    "lip_lower": (3.4, 10.5),
    "lip_bow": (0.0, 2.6),
    "lip_forward": (0.0, 7.0),
    "lip_red": (0.0, 1.0),
    "mouth_curve": (-2.2, 2.2),
    "muzzle": (0.0, 6.0),
    "ear_size": (24.0, 33.0),  # half the height
    "ear_out": (6.0, 17.0),
    "neck_width": (43.0, 58.0),  # half
    "shoulder_width": (175.0, 240.0),  # half
    "age": (0.0, 1.0),  # 0 about twenty, 1 about seventy-five
    "freckles": (-2.0, 1.0),  # drawn when above 0
    "blush": (0.0, 1.0),
    "mottle": (0.08, 0.65),  # unevenness of the skin's colour
    "gloss": (0.1, 1.0),
    "asymmetry": (-1.0, 1.0),
}

# What tends to go together in people, so that a face hangs together: name: pull of (manly, broad, flat). A pull of 1
# weighs as much as the trait's own chance; negative pulls to the low end.
_TOGETHER: dict[str, tuple[float, float, float]] = {
    "jaw_width": (0.9, 0, 0.3),
    "jaw_corner": (0.8, 0, 0.2),
    "chin_ball": (0.6, 0, 0),
    "chin_width": (0.8, 0, 0),
    "face_length": (0.6, 0, -0.3),
    "face_width": (0.3, 0, 0.5),
    "brow_ridge": (1.2, 0, -0.6),
    "brow_thick": (1.0, 0, 0),
    "brow_height": (-0.9, 0, 0.5),
    "brow_arch": (-0.8, 0, 0),
    "eye_height": (-0.6, 0.2, -0.8),
    "eye_slant": (-0.2, 0, 0.4),
    "lid_crease": (0, 0, -1.2),
    "epicanthus": (0, 0, 1.2),
    "socket_depth": (0.4, 0, -1.0),
    "lashes": (-1.5, 0, -0.2),
    "nose_height": (0.6, -0.4, -0.6),
    "nose_bridge": (0.3, -0.6, -1.0),
    "nose_wing": (0.3, 0.8, 0.2),
    "nose_tip_width": (0.2, 1.0, 0.2),
    "lip_upper": (-0.5, 0.4, 0),
    "lip_lower": (-0.4, 0.4, 0),
    "lip_forward": (0, 0.4, 0.2),
    "lip_red": (-1.5, 0, 0),
    "cheekbone": (-0.4, 0, 0.7),
    "cheek_fill": (-0.5, 0, 0.3),
    "neck_width": (1.6, 0, 0),
    "shoulder_width": (1.6, 0, 0),
    "blush": (-0.6, -0.4, 0),
}

# Skin from light to dark, sRGB, then the hair and iris colours, sRGB.
_SKIN = np.array(
    [(244, 213, 196), (236, 196, 172), (224, 178, 148), (208, 158, 124), (186, 134, 100), (160, 110, 80),
     (132, 88, 64), (106, 70, 52), (82, 54, 42), (60, 40, 33)], np.float32) / 255  # fmt: skip
_HAIR = np.array(
    [(22, 18, 17), (38, 27, 22), (62, 42, 30), (96, 64, 40), (138, 98, 58), (186, 148, 96), (150, 74, 36)],
    np.float32) / 255  # fmt: skip
_GREY = np.array((186, 184, 182), np.float32) / 255
_IRIS = np.array(
    [(48, 28, 18), (70, 42, 24), (104, 70, 38), (112, 108, 62), (96, 124, 112), (98, 130, 158)],
    np.float32) / 255  # fmt: skip

HAIR_STYLES = ("bald", "shaved", "short", "side part", "fringe", "swept back", "curly", "long", "long fringe", "bun")
BEARDS = ("none", "stubble", "moustache", "goatee", "short", "full")
COLLARS = ("crew", "v", "shirt", "high")


@dataclass(frozen=True)
class Traits:
    """A person's looks. `shape` holds the SHAPE lengths; colours are linear-light RGB, 0..1, float32 [3]."""

    shape: dict[str, float]
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    clothes: np.ndarray
    hair_style: str
    hairline: float  # mm above the eye line at the middle of the forehead
    recession: float  # mm by which the temples recede
    part: float  # -1..1, where the hair is parted
    hair_volume: float  # mm
    curl: float  # 0 straight, 1 tight curls
    beard: str
    glasses: tuple[float, float, float, float, float] | None  # half width, half height, squareness, thickness, shade
    collar: str
    wall: int  # seed of the room behind


def linear(srgb: np.ndarray) -> np.ndarray:
    """Linear light of an sRGB value in 0..1; gamma 2, the one the renderer undoes with a square root."""
    return (srgb * srgb).astype(np.float32)


def _between(table: np.ndarray, position: float) -> np.ndarray:
    """The colour at `position` (0..1) along `table`."""
    at = position * (len(table) - 1)
    low = min(int(at), len(table) - 2)
    return table[low] + (table[low + 1] - table[low]) * np.float32(at - low)


def draw_traits(seed: int) -> Traits:
    """The looks that belong to `seed` (0 or more): the same on every machine and numpy that has PCG64."""
    rng = np.random.Generator(np.random.PCG64(seed))
    manly = 0.5 + (0.5 if rng.random() < 0.5 else -0.5) * float(rng.uniform(0.3, 1.0))
    broad, flat = float(rng.random()), float(rng.random())
    shape = {}
    for name, (low, high) in SHAPE.items():
        pulls = _TOGETHER.get(name, (0.0, 0.0, 0.0))
        share = float(rng.random()) + sum(
            p * at if p > 0 else -p * (1 - at) for p, at in zip(pulls, (manly, broad, flat), strict=True)
        )
        lean = (2 * share / (1 + sum(map(abs, pulls))) - 1) * (1.4 if any(pulls) else 1.0)
        lean = min(max(lean, -1.0), 1.0)
        lean = math.copysign(math.sqrt(abs(lean)), lean)  # away from the middle
        shape[name] = low + (high - low) * (0.5 + 0.5 * lean)

    depth = 0.5 * float(rng.random()) + 0.5 * broad * (1 - 0.4 * flat)  # 0 light, 1 dark skin
    skin = _between(_SKIN, depth)
    skin = skin * (1 + np.array((0.02, 0.0, -0.02), np.float32) * rng.uniform(-2.5, 2.5))
    # Dark skin goes with dark hair and eyes nearly always; among light skins every colour is common.
    fairest = max(0.0, 1.1 - 1.7 * depth) * (1 - 0.8 * flat * flat)
    hair = (
        _HAIR[6]
        if rng.random() < 0.12 * fairest
        else _between(_HAIR[:6], float(rng.random()) ** 1.4 * min(1.0, fairest))
    )
    grey = max(0.0, shape["age"] - 0.5) * 2 * float(rng.random() ** 0.5)
    hair = hair + (_GREY - hair) * np.float32(grey)
    iris = _between(_IRIS, float(rng.random()) * min(1.0, fairest))
    curl = float(np.clip(rng.uniform(-0.9, 0.6) + broad - 0.4 * flat, 0, 1))

    styles = HAIR_STYLES[:8] if manly > 0.5 else HAIR_STYLES[2:]
    style = styles[int(rng.integers(len(styles)))]
    bearded = manly > 0.5 and rng.random() < 0.6
    glasses = None
    values = rng.random(5)
    if rng.random() < 0.2:
        glasses = (
            20 + 7 * values[0],
            13 + 9 * values[1],
            2 + 4 * values[2],
            0.9 + 1.7 * values[3],
            0.02 + 0.4 * values[4] ** 3,
        )
    return Traits(
        shape=shape,
        skin=linear(np.clip(skin, 0.05, 0.98)),
        hair=linear(hair),
        iris=linear(iris),
        clothes=linear(rng.uniform(0.08, 0.9, 3).astype(np.float32) * 0.6 + np.float32(rng.uniform(0, 0.35))),
        hair_style=style,
        hairline=float(rng.uniform(56, 80)),
        recession=float(rng.uniform(-4, 14) + 10 * shape["age"]),
        part=float(rng.uniform(-1, 1)),
        hair_volume=float(rng.uniform(6, 20)),
        curl=curl,
        beard=BEARDS[1 + int(rng.integers(len(BEARDS) - 1))] if bearded else "none",
        glasses=glasses,
        collar=COLLARS[int(rng.integers(len(COLLARS)))],
        wall=int(rng.integers(1 << 31)),
    )
