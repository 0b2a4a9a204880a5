"""Hair and beard of a drawn person: where they grow on the head's map, how thick, and their strands."""

from dataclasses import dataclass

import cv2
import numpy as np

from simulator.people_head import DIRECTIONS, EYE_Y, GRID, Face, Skull
from simulator.people_traits import Traits

# Height of the hair's edge over the eye line, mm, at these angles from the front, degrees; None: the person's hairline.
_ANGLES = (0, 22, 40, 56, 68, 80, 92, 108, 130, 180)
_CUT = (None, None, None, 42, 12, -14, 2, -30, -62, -75)  # hair off the ears
_LONG = (None, None, None, 40, 4, -40, -120, -120, -120, -120)
_CROWN = np.array((0.0, 0.88, -0.47), np.float32)  # strands run from here


@dataclass
class Hair:
    """Maps [GRID, GRID]: how much of a place is hair (0..1), its height over the skin in mm, its strands' lightness."""

    cover: np.ndarray
    height: np.ndarray
    strands: np.ndarray


def noise(rng: np.random.Generator, n: int, cells: int) -> np.ndarray:
    """Smooth noise [n, n] about 0, roughly -1..1, with `cells` bumps across."""
    return cv2.resize(
        rng.standard_normal((cells, cells), np.float32), (n, n), interpolation=cv2.INTER_CUBIC
    ) * np.float32(0.6)


def _smoothstep(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 at low, 1 at high, smooth between."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def _edge(traits: Traits, side: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Height over the eye line, mm, where the hair begins at each angle from the front (degrees); side is -1 or 1."""
    style = traits.hair_style
    line = traits.hairline
    fronts = [line, line + 0.35 * traits.recession, line + traits.recession - 6]
    if style in ("fringe", "long fringe"):
        fronts = [27 + 0.25 * (line - 56), 28 + 0.2 * (line - 56), 30]
    if style == "bald":
        fronts = [160, 160, 150]
    rest = _LONG if style in ("long", "long fringe") else _CUT
    heights = np.array([*fronts, *rest[3:]], np.float32)
    if style == "bald":
        heights[3:7] = (110, 40, -4, 14)
    edge = np.interp(angle, _ANGLES, heights).astype(np.float32)
    if style in ("side part", "long"):
        # Parted hair falls lower over the forehead on the far side of the part.
        across = np.clip(side * angle / 45, -1.2, 1.2)
        far = -np.sign(traits.part) * across
        edge -= 16 * _smoothstep(far, 0.0, 1.0) * (angle < 60) * abs(traits.part)
    return edge


def grow(traits: Traits, skull: Skull, seed: int) -> Hair:
    """The hair of the head."""
    rng = np.random.Generator(np.random.PCG64((seed, 1)))
    x, y, z = (np.ascontiguousarray(skull.points[..., i]) for i in range(3))
    angle = cv2.phase(z, np.abs(x), angleInDegrees=True)
    edge = _edge(traits, np.sign(x), angle)
    curl = traits.curl
    ragged = noise(rng, GRID, 60) * 3.0 + noise(rng, GRID, 24) * (3.0 + 4 * curl)
    cover = _smoothstep(y - EYE_Y - edge + ragged, -3.5, 3.5)

    volume = {"bald": 0.0, "shaved": 0.0, "short": 0.55, "bun": 0.5, "swept back": 0.9, "curly": 1.7}.get(
        traits.hair_style, 1.0
    )
    if traits.hair_style in ("bald", "shaved"):
        cover *= np.float32(0.5 if traits.hair_style == "shaved" else 0.75)
    deep = _smoothstep(y - EYE_Y - edge, -2, 32)  # thin at the edge, full above
    top = 0.75 + 0.4 * _smoothstep(y, 40, 130)
    tufts = 1 + noise(rng, GRID, 14) * np.float32(0.12 + 0.25 * curl) + noise(rng, GRID, 40) * np.float32(0.22 * curl)
    height = (traits.hair_volume * volume * (0.25 + 0.75 * deep) * top * tufts + 1.0) * cover

    # Straight hair: lightness changes around the crown, not along the strand. Curls: round spots.
    sideways = np.cross(_CROWN, np.array((0, 0, 1), np.float32))
    forward = np.cross(sideways, _CROWN)
    turn = cv2.phase(DIRECTIONS @ forward, DIRECTIONS @ sideways) + noise(rng, GRID, 12) * np.float32(0.06 + 0.3 * curl)
    table = cv2.GaussianBlur(rng.standard_normal((1, 2048), np.float32), (0, 0), 3.0).ravel() * 3.0
    straight = table[(turn * (2048 / 6.3)).astype(np.int32) & 2047]
    curly = noise(rng, GRID, 70) * 1.6 + noise(rng, GRID, 34)
    strands = 1 + np.float32(0.26) * (straight * (1 - curl) + curly * curl)
    return Hair(cover, height.astype(np.float32), np.clip(strands, 0.35, 1.9))


def grow_beard(traits: Traits, skull: Skull, face: Face, seed: int) -> Hair:
    """The beard; its cover is all 0 for those who have none."""
    rng = np.random.Generator(np.random.PCG64((seed, 2)))
    x = np.ascontiguousarray(skull.points[..., 0])
    y = np.ascontiguousarray(skull.points[..., 1])
    style = traits.beard
    mx, my = face.mouth
    ax = np.abs(x - mx)
    ragged = noise(rng, GRID, 64) * 2.2
    cheek = np.interp(ax, (0, face.mouth_half + 2, 46, 62, 72), (my + 17, my + 6, my + 4, my + 30, EYE_Y)).astype(
        np.float32
    )
    jaw = _smoothstep(cheek - y + ragged, -3, 5)
    lips = np.hypot((x - mx) / (face.mouth_half + 1), (y - my + face.opening / 2) / (8.5 + face.opening / 2))
    bare = _smoothstep(lips, 0.92, 1.12)
    nose_base = face.nose_tip[1] - 9
    droop = 0.35 * (my - nose_base) * np.clip(ax / (face.mouth_half + 3), 0, 1.2) ** 2  # thinner to its ends
    moustache = _smoothstep(nose_base - 2 + droop - y + ragged, -3, 3) * (y > my - 2)
    moustache *= _smoothstep(face.mouth_half + 4 - ax + ragged, -4, 4)
    below = jaw * bare * (y < my + 26)
    goatee = moustache * bare + bare * (y <= my) * _smoothstep(face.mouth_half + 5 - ax + ragged, -4, 4)
    cover = {
        "none": np.zeros_like(x),
        "stubble": 0.34 * np.maximum(below, moustache * bare),
        "moustache": 0.9 * moustache * bare,
        "goatee": 0.85 * goatee,
        "short": 0.72 * np.maximum(below, moustache * bare),
        "full": 0.97 * np.maximum(below, moustache * bare),
    }[style]
    cover = (cover * (skull.points[..., 2] > 5)).astype(np.float32)
    ahead = np.clip(skull.points[..., 2] * np.float32(1 / 70), 0, 1) ** 2  # no wings of beard at the sides
    thick = {"full": 10.0, "short": 2.5, "goatee": 3.0, "moustache": 2.5}.get(style, 0.0)
    strands = 1 + np.float32(0.3) * (noise(rng, GRID, 90) + noise(rng, GRID, 40))
    return Hair(cover, cv2.GaussianBlur(cover * ahead, (0, 0), 3) * np.float32(thick), np.clip(strands, 0.4, 1.8))
