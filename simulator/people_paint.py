"""The colours of a drawn face: skin, eyes, brows, lips, lines and hair, painted on the head's map."""

from copy import copy

import cv2
import numpy as np

from simulator.people_hair import Hair, noise
from simulator.people_head import EYE_Y, Face, Skull, to_map
from simulator.people_traits import Traits

TEXELS = 512  # paint texels a side
Spot = tuple[tuple[slice, slice, slice], np.ndarray]  # a window of the paint and how much of it is covered, 0..1
_SHIFT = 4  # fractional bits OpenCV keeps of a polygon's corners


class Canvas:
    """Paint [3, TEXELS, TEXELS] in linear light and gloss [TEXELS, TEXELS], drawn on in frontal mm.

    Colours are planes, for numpy is several times quicker on them than on pixels of three.
    """

    def __init__(self, skull: Skull, colour: np.ndarray) -> None:
        self.skull = skull
        self.paint = np.empty((3, TEXELS, TEXELS), np.float32)
        self.paint[:] = colour[:, None, None]
        self.gloss = np.ones((TEXELS, TEXELS), np.float32)

    def copy(self) -> "Canvas":
        """Another canvas with the same paint."""
        other = copy(self)
        other.paint, other.gloss = self.paint.copy(), self.gloss.copy()
        return other

    def mask(self, shape: np.ndarray, blur: float = 0.0, line: float = 0.0) -> Spot:
        """What a polygon through shape [k, 2] mm covers, or a line that is `line` mm thick."""
        texel = TEXELS / 310.0  # texels a mm, on average over the face
        at = to_map(self.skull.at(shape), TEXELS)
        margin = 3 * blur * texel + line * texel + 3
        left, top = np.maximum(np.floor(at.min(0) - margin), 0).astype(int)
        right, bottom = np.minimum(np.ceil(at.max(0) + margin), TEXELS).astype(int)
        drawn = np.zeros((max(bottom - top, 1), max(right - left, 1)), np.uint8)
        corners = np.round((at - (left, top)) * (1 << _SHIFT)).astype(np.int32)[None]
        if line:
            cv2.polylines(drawn, corners, False, 255, max(1, round(line * texel)), cv2.LINE_AA, _SHIFT)
        else:
            cv2.fillPoly(drawn, corners, 255, cv2.LINE_AA, _SHIFT)
        cover = drawn.astype(np.float32) * np.float32(1 / 255)
        if blur:
            cover = cv2.GaussianBlur(cover, (0, 0), blur * texel)
        return (slice(None), slice(top, top + drawn.shape[0]), slice(left, left + drawn.shape[1])), cover

    def stain(self, where: Spot, colour: np.ndarray, strength: float = 1.0) -> None:
        """Paint over with colour."""
        window, cover = where
        self.paint[window] += (_planes(colour) - self.paint[window]) * (cover * np.float32(strength))

    def tint(self, where: Spot, factor: np.ndarray | tuple[float, ...] | float, strength: float = 1.0) -> None:
        """Multiply by factor where covered."""
        window, cover = where
        self.paint[window] *= 1 + (_planes(factor) - 1) * (cover * np.float32(strength))


def _planes(colour: np.ndarray | tuple[float, ...] | float) -> np.ndarray:
    """One colour, or one grey, as planes of one pixel."""
    return np.asarray(colour, np.float32).reshape(-1, 1, 1)


def paint_skin(traits: Traits, skull: Skull, seed: int) -> Canvas:
    """Skin with its blotches, blush and freckles; what the expression does not move."""
    rng = np.random.Generator(np.random.PCG64((seed, 3)))
    s = traits.shape
    canvas = Canvas(skull, traits.skin)
    # Marks that stay with the person: unevenness at the scales a small network sees, and fine grain.
    fine = 0.04 + 0.03 * s["age"]
    uneven = s["mottle"] * (
        0.10 * noise(rng, TEXELS, 14) + 0.22 * noise(rng, TEXELS, 26) + 0.16 * noise(rng, TEXELS, 60)
    )
    canvas.paint *= np.clip(1 + uneven + fine * noise(rng, TEXELS, 170), 0.35, 1.6)
    canvas.paint[1:] *= 1 + np.float32(0.08 * s["mottle"]) * noise(rng, TEXELS, 22)
    red = np.array((1.12, 0.86, 0.84), np.float32) ** (0.6 + 1.5 * s["blush"])
    for side in (-1, 1):
        canvas.tint(canvas.mask(_disc((side * 42, -12), 15, 12), 8), red)
        canvas.tint(canvas.mask(_disc((side * s["eye_spacing"], EYE_Y - 9), 13, 5), 4), 0.84, 0.5 + 0.9 * s["eye_bags"])
        canvas.tint(
            canvas.mask(_disc((side * s["eye_spacing"], EYE_Y + 5), 17, 9), 5), 0.9, 0.3 + 0.08 * s["socket_depth"]
        )
    canvas.tint(canvas.mask(_disc((0, EYE_Y - s["nose_length"]), 10, 9), 4), red, 0.9)
    spots = s["freckles"]
    for _ in range(int(max(0.0, spots) * 70) + int(rng.integers(0, 5))):
        where = (float(rng.uniform(-58, 58)), float(rng.uniform(-60, 70)))
        size = float(rng.uniform(0.7, 1.3 if spots > 0 else 2.2))
        canvas.tint(canvas.mask(_disc(where, size, size, 8), 0.5), (0.62, 0.5, 0.44), 0.8)
    return canvas


def paint_face(traits: Traits, skull: Skull, face: Face, canvas: Canvas, beard: Hair, hair: Hair) -> np.ndarray:
    """Paint and gloss [TEXELS, TEXELS, 4] of the whole head with this expression; `canvas` is left as it was."""
    work = canvas.copy()
    _lines(traits, face, work)
    _nose(traits, face, work)
    _grown(traits, work, beard)
    _mouth(traits, face, work)
    for side in (-1, 1):
        _eye(traits, face, work, side)
        _brow(traits, face, work, side)
    _grown(traits, work, hair)
    return cv2.merge([*work.paint, work.gloss])


def _disc(at: tuple[float, float], rx: float, ry: float, corners: int = 20) -> np.ndarray:
    """Corners [corners, 2] of an ellipse, mm."""
    turn = np.arange(corners) * (2 * np.pi / corners)
    return np.column_stack((at[0] + rx * np.cos(turn), at[1] + ry * np.sin(turn)))


def _grown(traits: Traits, canvas: Canvas, hair: Hair) -> None:
    """Lay hair over the paint."""
    if not hair.cover.any():
        return
    cover, strands = (
        cv2.resize(m, (TEXELS, TEXELS), interpolation=cv2.INTER_LINEAR) for m in (hair.cover, hair.strands)
    )
    for plane, colour in zip(canvas.paint, traits.hair, strict=True):
        plane += (colour * strands - plane) * cover
    canvas.gloss *= 1 - 0.55 * cover


def _lines(traits: Traits, face: Face, canvas: Canvas) -> None:
    """The folds from nose to mouth and the lines of age."""
    s = traits.shape
    age = s["age"]
    fold = 0.18 + 0.5 * age + 0.45 * max(0.0, face.smile)
    mx, my = face.mouth
    tip = face.nose_tip[1]
    for side in (-1, 1):
        path = np.array(
            (
                (s["nose_wing"] + 2, tip + 3),
                (s["nose_wing"] + 9, tip - 7),
                (face.mouth_half + 8, my + 6),
                (face.mouth_half + 9, my - 6),
            )
        )
        canvas.tint(canvas.mask(path * (side, 1), 1.5, 1.4), (0.62, 0.5, 0.48), min(1.0, fold))
        ex, ey = face.eyes[(side + 1) // 2]
        bag = np.array(((-9, -9), (0, -13), (10, -10.5)))
        canvas.tint(
            canvas.mask(bag * (side, 1) + (ex, ey), 1.0, 0.9), (0.66, 0.55, 0.52), 0.55 * s["eye_bags"] + 0.25 * age
        )
        for rise in (-4, 0, 4) if age > 0.55 or face.smile > 0.7 else ():
            foot = np.array(((s["eye_width"] + 4, rise * 0.5), (s["eye_width"] + 12, rise * 1.7)))
            canvas.tint(canvas.mask(foot * (side, 1) + (ex, ey), 0.6, 0.7), 0.6, 0.6 * age)
        frown = np.array(((4.0, 12.0), (4.5, 22.0)))
        canvas.tint(canvas.mask(frown * (side, 1) + (0, EYE_Y), 0.8, 0.8), 0.65, 0.6 * max(0.0, age - 0.35))
    for k in range(3) if age > 0.5 else ():
        x = np.linspace(-34, 34, 9)
        path = np.column_stack((x, EYE_Y + 30 + 9 * k + 3 * np.cos(x / 14 + k)))
        canvas.tint(canvas.mask(path, 0.8, 0.8), 0.68, 0.9 * (age - 0.45))


def _nose(traits: Traits, face: Face, canvas: Canvas) -> None:
    """Nostrils and the crease round the wings."""
    s = traits.shape
    x, tip = face.nose_tip
    wing = s["nose_wing"] + 1.5 * max(0.0, face.smile)
    for side in (-1, 1):
        hole = _disc((x + side * wing * 0.46, tip - 8.5), wing * 0.27, 1.5 + 1.4 * s["nostrils"])
        canvas.tint(canvas.mask(hole, 0.9), (0.16, 0.09, 0.08), 0.45 + 0.5 * s["nostrils"])
        crease = np.array(((wing - 2.5, tip + 4), (wing + 0.6, tip - 2), (wing - 1.5, tip - 8))) * (side, 1) + (x, 0)
        canvas.tint(canvas.mask(crease, 0.9, 1.0), (0.6, 0.48, 0.45), 0.6)
    under = np.array(((-wing * 0.7, tip - 10), (0, tip - 11.5), (wing * 0.7, tip - 10))) + (x, 0)
    canvas.tint(canvas.mask(under, 1.6, 2.0), (0.68, 0.58, 0.56), 0.6)


def _mouth(traits: Traits, face: Face, canvas: Canvas) -> None:
    """Lips, and when the mouth is open its inside and teeth."""
    s = traits.shape
    mx, my = face.mouth
    half, rise, drop = face.mouth_half, face.corner_rise, face.opening
    t = np.linspace(-1, 1, 17)
    line = my + rise * np.abs(t) ** 2.2
    x = mx + half * t
    arch = 1 - np.abs(t) ** 2.6
    bow = 1 - 0.75 * s["lip_bow"] / 2.6 * np.exp(-((t / 0.16) ** 2)) + 0.25 * np.exp(-(((np.abs(t) - 0.3) / 0.2) ** 2))
    thin = 1 - 0.2 * max(0.0, face.smile) - 0.25 * s["age"]
    inner_top = line + 0.16 * drop * arch
    inner_low = line - 0.84 * drop * arch
    top = inner_top + s["lip_upper"] * thin * arch * np.clip(bow, 0.3, 1.3)
    low = inner_low - s["lip_lower"] * thin * (1 - np.abs(t) ** 2.2)
    red = (
        np.array((0.80, 0.42, 0.42), np.float32) * (1 - 0.35 * s["lip_red"])
        + np.array((0.25, -0.02, 0.02), np.float32) * s["lip_red"]
    )
    # The darker the skin, the less its lips differ from it.
    red = red + (np.array((0.86, 0.70, 0.70), np.float32) - red) * max(0.0, 1 - 2.2 * float(traits.skin.mean()))
    lip = traits.skin * red + np.array((0.018, 0.004, 0.006), np.float32)
    for near, far, shade in ((inner_top, top, 0.82), (inner_low, low, 1.0)):
        outline = np.column_stack((np.r_[x, x[::-1]], np.r_[near, far[::-1]]))
        where = canvas.mask(outline, 0.7)
        canvas.stain(where, lip * np.float32(shade), 0.92)
        canvas.gloss[where[0][1:]] += where[1] * 0.7
    if drop > 1.0:
        hole = np.column_stack((np.r_[x, x[::-1]], np.r_[inner_top, inner_low[::-1]]))
        canvas.stain(canvas.mask(hole, 0.4), np.array((0.035, 0.012, 0.012), np.float32))
        middle = slice(3, 14)
        depth = np.minimum(0.55 * drop, 6.5) * arch[middle]
        teeth = np.column_stack(
            (np.r_[x[middle], x[middle][::-1]], np.r_[inner_top[middle], (inner_top[middle] - depth)[::-1]])
        )
        canvas.stain(canvas.mask(teeth, 0.5), np.array((0.60, 0.57, 0.50), np.float32), 0.9)
    else:
        canvas.stain(canvas.mask(np.column_stack((x, line)), 0.45, 0.9), lip * np.float32(0.18), 0.85)
    for side in (-1, 1):
        canvas.tint(canvas.mask(_disc((mx + side * (half + 0.5), my + rise), 2.4, 2.0), 1.2), 0.5, 0.7)


def _eye(traits: Traits, face: Face, canvas: Canvas, side: int) -> None:
    """One eye with its lids; side is -1 for the image's left."""
    s = traits.shape
    ex, ey = face.eyes[(side + 1) // 2]
    half = s["eye_width"]
    t = np.linspace(-1, 1, 21)  # from the inner to the outer corner
    x = ex + side * half * t
    line = ey + s["eye_slant"] * half * t
    arch = 1 - np.abs(t) ** (1.3 + s["eye_round"])
    lower = line - 0.78 * s["eye_height"] * (1 - np.abs(t) ** 2.2)
    upper_open = (
        line + 1.12 * s["eye_height"] * arch - 1.8 * max(0.0, s["epicanthus"]) * np.exp(-(((t + 0.8) / 0.35) ** 2))
    )
    upper = lower + (upper_open - lower) * face.eyes_open
    outline = np.column_stack((np.r_[x, x[::-1]], np.r_[upper, lower[::-1]]))
    dark = np.minimum(traits.hair, traits.skin * 0.25) * np.float32(0.4) + np.float32(0.008)

    crease = upper_open + (s["lid_crease_height"] + 0.5 * (1 - face.eyes_open)) * (0.35 + 0.65 * arch)
    lid = np.column_stack((np.r_[x, x[::-1]], np.r_[upper, crease[::-1]]))
    canvas.tint(canvas.mask(lid, 0.8), (0.9, 0.8, 0.78), 0.6)
    canvas.tint(canvas.mask(np.column_stack((x, crease)), 0.7, 1.0), (0.42, 0.32, 0.3), 0.25 + 0.7 * s["lid_crease"])
    if face.eyes_open > 0.08:
        window, cover = canvas.mask(outline, 0.3)
        inside = canvas.paint[window]
        eyeball = np.empty_like(inside)
        eyeball[:] = _planes((0.60, 0.55, 0.52))
        rows, columns = np.mgrid[window[1:]].astype(np.float32)
        (iris_x, iris_y), (edge_x, _) = to_map(
            canvas.skull.at(np.array(((ex, ey + 0.9), (ex + s["iris_size"], ey + 0.9)))), TEXELS
        )
        radius = abs(edge_x - iris_x)
        far = np.hypot(columns - iris_x, rows - iris_y) / radius
        ring = np.clip((1.06 - far) * radius, 0, 1)
        light = 0.55 + 0.6 * np.clip(far, 0, 1) - 0.75 * np.clip((far - 0.78) / 0.22, 0, 1)
        eyeball += (_planes(traits.iris) * light - eyeball) * ring
        eyeball *= 1 - np.clip((0.44 - far) * radius + 0.5, 0, 1) * 0.97
        lid_shadow = np.clip((rows - rows.mean()) / (0.9 * s["eye_height"] * 1.7) + 0.75, 0.42, 1)
        eyeball *= lid_shadow
        glint = np.clip(
            (0.2 - np.hypot(columns - iris_x - 0.28 * radius, rows - iris_y + 0.36 * radius) / radius) * radius + 0.6,
            0,
            1,
        )
        eyeball += (0.95 - eyeball) * glint
        canvas.paint[window] += (eyeball - inside) * cover
        canvas.gloss[window[1:]] *= 1 - 0.7 * cover
        canvas.stain(
            canvas.mask(_disc((ex - side * (half - 1.0), ey - s["eye_slant"] * half), 1.5, 1.1, 8), 0.5),
            traits.skin * np.float32(0.7) * (1, 0.6, 0.55),
            0.7,
        )
    canvas.stain(
        canvas.mask(np.column_stack((x, upper)), 0.35, 1.0 + 0.9 * s["lashes"]), dark, 0.55 + 0.4 * s["lashes"]
    )
    canvas.tint(canvas.mask(np.column_stack((x, lower - 0.3)), 0.4, 0.7), (0.45, 0.33, 0.3), 0.35 + 0.5 * s["lashes"])


def _brow(traits: Traits, face: Face, canvas: Canvas, side: int) -> None:
    """One eyebrow, in rows of slanted hairs so that its edge is not a clean line."""
    s = traits.shape
    ex, ey = face.eyes[(side + 1) // 2]
    t = np.linspace(-1, 1, 15)
    x = ex + side * (s["brow_gap"] + s["brow_length"] * t)
    middle = (
        ey
        + s["brow_height"]
        + 0.6 * max(0.0, face.smile)
        + s["brow_tilt"] * t
        + s["brow_arch"] * (np.exp(-(((t - 0.3) / 0.5) ** 2)) - 0.6)
    )
    thick = (
        s["brow_thick"] * np.clip(1.15 - 0.75 * np.clip(t, -0.2, 1) ** 2, 0.25, 1) * np.clip((t + 1.15) * 3, 0.45, 1)
    )
    outline = np.column_stack((np.r_[x, x[::-1]], np.r_[middle + thick * 0.55, (middle - thick * 0.45)[::-1]]))
    window, cover = canvas.mask(outline, 0.8)
    hairs = (np.arange(cover.shape[1])[None] + 0.6 * side * np.arange(cover.shape[0])[:, None]) % 4 < 2
    cover = np.clip(cover * (0.8 + 0.35 * hairs), 0, 1)
    canvas.stain((window, cover), np.minimum(traits.hair, traits.skin * 0.8) * np.float32(0.75), s["brow_dark"])
