"""Drawn people: a synthetic face, the same for the same seed, under any pose, light and expression.

Nobody's likeness: form and colours are drawn from ranges (people_traits), shaped (people_head), painted
(people_paint, people_hair) and here looked at: each pixel's ray is followed to the head's surface and lit.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import cv2
import numpy as np

from simulator import people_body as around
from simulator import people_hair as hair
from simulator import people_head as head
from simulator import people_paint as paint
from simulator.people_traits import Traits, draw_traits, linear

_ARM_MM = 450.0  # from the lens to the middle of the head at scale 1.0: a watch held up to be looked at
_LIVE_EXPRESSIONS = 4  # how many expressions a Person keeps ready
_AMBIENT, _KEY = 0.46, 0.60


@dataclass(frozen=True)
class Pose:
    """Degrees. yaw > 0 turns the face to the image's right, pitch > 0 up, roll > 0 clockwise in the image."""

    yaw: float = 0
    pitch: float = 0
    roll: float = 0


@dataclass(frozen=True)
class Light:
    """level 1.0 is good indoor light (0 dark, 4 glaring); azimuth > 0 comes from the image's right, elevation > 0 from
    above, both degrees, 0 from the lens; warmth from -1 (blue sky) to 1 (candle)."""

    level: float = 1.0
    azimuth: float = 30
    elevation: float = 40
    warmth: float = 0


@dataclass(frozen=True)
class Expression:
    """smile -0.5 (glum) to 1, mouth_open 0 to 1, eyes_open 0 (shut) to 1.2 (wide)."""

    smile: float = 0
    mouth_open: float = 0
    eyes_open: float = 1


@dataclass
class _Surface:
    """A head with one expression.

    Maps of radius [g, g] mm, normals and sky [g, g, 4], paint and gloss [p, p, 4]; landmarks [5, 3] mm.
    """

    radius: np.ndarray
    normals: np.ndarray
    paint: np.ndarray
    landmarks: np.ndarray


class Person:
    """Everything about a face, from a seed (0 or more); the same on every machine."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.traits: Traits = draw_traits(seed)
        lumps = hair.noise(np.random.Generator(np.random.PCG64((seed, 5))), head.GRID, 16) * np.float32(1.8)
        self._skull = head.Skull(self.traits, lumps)
        self._hair = hair.grow(self.traits, self._skull, seed)
        self._skin = paint.paint_skin(self.traits, self._skull, seed)
        self._ears = head.ears(self.traits, self._skull) * (1 - 0.9 * self._hair.cover)
        self._surfaces: OrderedDict[Expression, _Surface] = OrderedDict()

    def surface(self, expression: Expression) -> _Surface:
        """The head with this expression, made once and kept for a while."""
        if expression in self._surfaces:
            self._surfaces.move_to_end(expression)
        else:
            self._surfaces[expression] = self._form(expression)
            if len(self._surfaces) > _LIVE_EXPRESSIONS:
                self._surfaces.popitem(last=False)
        return self._surfaces[expression]

    def _form(self, expression: Expression) -> _Surface:
        face = head.place_face(self.traits, *astuple(expression))
        beard = hair.grow_beard(self.traits, self._skull, face, self.seed)
        flesh = self._skull.radius + head.features(self.traits, self._skull, face) + self._ears
        radius = (flesh + self._hair.height + beard.height).astype(np.float32)
        return _Surface(
            radius=radius,
            normals=cv2.merge([*cv2.split(head.normals(radius)), head.hollows(radius)]),
            paint=paint.paint_face(self.traits, self._skull, face, self._skin, beard, self._hair),
            landmarks=head.landmarks(self._skull, flesh.astype(np.float32), face),
        )


def rotation(pose: Pose) -> np.ndarray:
    """The matrix [3, 3] that turns head coordinates to camera coordinates (x right, y up, z to the lens)."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians((pose.yaw, pose.pitch, pose.roll))) for f in (np.cos, np.sin))
    yaw = np.array(((cy, 0, sy), (0, 1, 0), (-sy, 0, cy)))
    pitch = np.array(((1, 0, 0), (0, cp, sp), (0, -sp, cp)))
    roll = np.array(((cr, sr, 0), (-sr, cr, 0), (0, 0, 1)))
    return roll @ pitch @ yaw


@dataclass(frozen=True)
class _Lens:
    """A pinhole on the z axis, `distance` mm from the head's middle, which it puts at pixel (x, y)."""

    distance: float
    focal: float  # pixels
    x: float
    y: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels [k, 2] of camera-space mm [k, 3]."""
        far = self.focal / (self.distance - points[:, 2])
        return np.column_stack((self.x + points[:, 0] * far, self.y - points[:, 1] * far))


def _lens(landmarks: np.ndarray, size: int, scale: float, centre: tuple[float, float]) -> _Lens:
    distance = max(_ARM_MM / scale, 260.0)
    eyes = landmarks[:2]
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    focal = 0.25 * size * scale * (distance - float(eyes[:, 2].mean())) / apart
    return _Lens(distance, focal, centre[0] * size - 0.5, centre[1] * size - 0.5)


def draw(
    person: Person,
    pose: Pose = Pose(),
    light: Light = Light(),
    expression: Expression = Expression(),
    size: int = 240,
    scale: float = 1.0,
    centre: tuple[float, float] = (0.5, 0.5),
    background: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A picture of the person, and where the face is.

    scale 1.0 puts the eyes 0.25 * size apart when the face is frontal; centre is where the middle of the head, between
    eyes and mouth, goes, as a fraction of the picture. background: uint8 RGB, enlarged or cut to fit; None is the
    person's own room. Returns uint8 RGB [size, size, 3] and float32 [5, 2] pixels: the image's left eye, its
    right eye, nose tip, left and right mouth corner; pixel centres are whole numbers, as in OpenCV.
    """
    surface = person.surface(expression)
    turn = rotation(pose)
    lens = _lens(surface.landmarks, size, scale, centre)
    tint = np.array((1 + 0.22 * light.warmth, 1.0, 1 - 0.3 * light.warmth), np.float32) * np.float32(light.level)
    towards = _light_direction(light)

    if background is None:
        image = around.room(person.traits.wall, size) * tint
    else:
        image = (
            linear(cv2.resize(background, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255) * tint
        )

    def lit(normals: np.ndarray, colour: np.ndarray) -> np.ndarray:
        facing, upward = normals @ towards, normals[..., 1]
        return colour * np.stack([_arriving(facing, upward, channel) for channel in range(3)], axis=-1) * tint

    around.body(image, person.traits, lit, turn, lens.project)
    _look_at_head(image, surface, turn.astype(np.float32), lens, towards, tint)
    if person.traits.glasses:
        bridge = float(surface.landmarks[:2, 2].mean()) + 4
        around.glasses(image, person.traits, surface.landmarks[:2], bridge, turn, lens.project, light.level)
    rgb = np.sqrt(np.clip(image, 0, 1)) * np.float32(255) + np.float32(0.5)
    return rgb.astype(np.uint8), lens.project(surface.landmarks @ turn.T).astype(np.float32)


def empty_room(seed: int, size: int) -> np.ndarray:
    """A room with nobody in it, in good light: uint8 RGB [size, size, 3]."""
    return (np.sqrt(around.room(seed, size)) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _light_direction(light: Light) -> np.ndarray:
    azimuth, elevation = np.radians((light.azimuth, light.elevation))
    return np.array(
        (np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)), np.float32
    )


_WRAP = np.array((0.32, 0.20, 0.15), np.float32)  # light leaks round edges of skin, red the furthest


def _arriving(
    facing: np.ndarray,
    upward: np.ndarray,
    channel: int,
    sky: np.ndarray | float = 1.0,
    shadow: np.ndarray | float = 1.0,
) -> np.ndarray:
    """One channel of the light, the room's and the lamp's, where normals have these parts towards the lamp and up."""
    lamp = np.clip((facing + _WRAP[channel]) / (1 + _WRAP[channel]), 0, 1)
    return _AMBIENT * (0.8 + 0.2 * upward) * sky + _KEY * lamp * shadow


def _look_at_head(
    image: np.ndarray, surface: _Surface, turn: np.ndarray, lens: _Lens, towards: np.ndarray, tint: np.ndarray
) -> None:
    """Draw the head into the linear-light image."""
    size = image.shape[0]
    coarse = (head.DIRECTIONS[::6, ::6] * surface.radius[::6, ::6, None]).reshape(-1, 3) @ turn.T
    spots = lens.project(coarse)
    left, top = np.clip(np.floor(spots.min(0)) - 3, 0, size).astype(int)
    right, bottom = np.clip(np.ceil(spots.max(0)) + 4, 0, size).astype(int)
    if right - left < 4 or bottom - top < 4:
        return
    x, y, z, gap = _march(surface.radius, turn, lens, (left, top, right, bottom))
    cover = np.clip(1.2 - gap * (lens.focal / lens.distance), 0, 1)

    uv = _map_places(x, y, z)
    paints = cv2.remap(surface.paint, *_texels(uv, paint.TEXELS), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    at = _texels(uv, head.GRID)
    form = cv2.remap(surface.normals, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shadow = cv2.remap(
        _shadow(surface.radius, turn.T @ towards), *_texels(uv, 128), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    nx, ny, nz, sky = (np.ascontiguousarray(form[..., i]) for i in range(4))
    lamp, half = turn.T @ towards, turn.T @ (towards + np.array((0, 0, 1), np.float32))
    facing = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
    upward = nx * turn[1, 0] + ny * turn[1, 1] + nz * turn[1, 2]
    shine = np.clip((nx * half[0] + ny * half[1] + nz * half[2]) / np.linalg.norm(half), 0, 1)
    shine = (shine**10 * np.float32(0.05) + shine**40 * np.float32(0.07)) * paints[..., 3] * shadow
    window = image[top:bottom, left:right]
    for channel in range(3):
        seen = (paints[..., channel] * _arriving(facing, upward, channel, sky, shadow) + shine) * tint[channel]
        window[..., channel] += (seen - window[..., channel]) * cover


def _map_places(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map coordinates u, v of head points, and their distances from the head's middle."""
    r = np.sqrt(x * x + y * y + z * z)
    k = np.sqrt(2 / (r * np.maximum(r + z, np.float32(1e-3))))
    return x * k, y * k, r


def _texels(uv: Sequence[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of map coordinates on an n x n map."""
    k = np.float32(n / 2 / head.EXTENT)
    middle = np.float32(n / 2 - 0.5)
    return uv[0] * k + middle, middle - uv[1] * k


def _march(radius: np.ndarray, turn: np.ndarray, lens: _Lens, box: tuple[int, int, int, int]) -> tuple[np.ndarray, ...]:
    """Follow the rays of the pixels in box (left, top, right, bottom) to the head.

    First every other pixel from outside, then every pixel from just before that, at last the difficult ones in small
    steps. Returns the head points x, y, z where each ray is nearest to the surface, and that gap (mm; to 0.1 on a hit).
    """
    left, top, right, bottom = box
    reach = np.float32(radius.max())
    eye = turn.T @ np.array((0, 0, lens.distance), np.float32)

    def rays(step: int) -> list[np.ndarray]:
        columns, rows = np.meshgrid(
            np.arange(left, right, step, dtype=np.float32), np.arange(top, bottom, step, dtype=np.float32)
        )
        across = (columns - np.float32(lens.x)) / np.float32(lens.focal)
        up = (np.float32(lens.y) - rows) / np.float32(lens.focal)
        inverse = 1 / np.sqrt(1 + across * across + up * up)
        across, up = across * inverse, up * inverse
        return [across * turn[0, i] + up * turn[1, i] - inverse * turn[2, i] for i in range(3)]

    def follow(
        ray: list[np.ndarray], t: np.ndarray, steps: int, careful: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        best, gap = t, np.full(t.shape, 1e9, np.float32)
        entered = np.zeros(t.shape, bool)
        before, off_before = t - 1, gap
        for _ in range(steps):
            x, y, z = (eye[i] + t * ray[i] for i in range(3))
            *uv, r = _map_places(x, y, z)
            off = r - cv2.remap(radius, *_texels(uv, head.GRID), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            size = np.abs(off)
            nearer = size < gap
            best = np.where(nearer, t, best)
            gap = np.where(nearer, size, gap)
            entered |= off < 0
            # The secant's step where the gap closes steadily; a careful ray takes it only back out of the head, and
            # else goes on at least a little: along a cheek the gap stays small, and an ear may come.
            slope = (off_before - off) / (t - before + np.float32(1e-6))
            secant = off < 0 if careful else slope > 0.28
            stride = np.where(secant, 1 / np.clip(slope, 0.28, 1.5), np.float32(0.6 if careful else 0.8))
            nearing = off < off_before
            before, off_before = t, off
            step = off * stride
            t = t + (np.where(off < 0, step, np.maximum(step, np.float32(1.6))) if careful else step)
        if careful:  # still closing in after so many steps: a grazing hit, not a miss
            entered |= nearing & (gap < 0.4 * lens.distance / lens.focal)
        return best, np.where(entered, np.minimum(gap, 0.1), gap)

    ray = rays(2)
    closest = -(eye[0] * ray[0] + eye[1] * ray[1] + eye[2] * ray[2])
    miss2 = np.float32(lens.distance**2) - closest * closest
    start = closest - np.sqrt(np.maximum(reach * reach - miss2, 0))
    t, _ = follow(ray, start, 8)
    start = cv2.erode(t, np.ones((3, 3), np.uint8))
    start = np.repeat(np.repeat(start, 2, 0), 2, 1)[: bottom - top, : right - left]
    ray = rays(1)
    t, gap = follow(ray, start, 4)
    lost = np.nonzero(((gap > 0.2) & (gap < 9)).ravel())[0]  # outlines, and edges the quick steps jumped over
    if len(lost):
        rows = np.resize(lost, (-(-len(lost) // 512), 512))  # OpenCV's remap takes no row of 32767 and more
        again = follow([part.take(rows) for part in ray], start.take(rows) - 2, 26, careful=True)
        for whole, part in zip((t, gap), again, strict=True):
            np.put(whole, rows, part)
    x, y, z = (eye[i] + t * ray[i] for i in range(3))
    return x, y, z, gap


def _shadow(radius: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """How much of the lamp each place of the head sees, 0..1, [128, 128]; towards is in head coordinates."""
    small = cv2.resize(radius, (128, 128), interpolation=cv2.INTER_AREA)
    points = head.directions(128) * small[..., None]
    x, y, z = (np.ascontiguousarray(points[..., i]) for i in range(3))
    seen = np.ones((128, 128), np.float32)
    for step in (6.0, 11.0, 18.0, 28.0, 42.0):
        *uv, r = _map_places(
            x + towards[0] * np.float32(step), y + towards[1] * np.float32(step), z + towards[2] * np.float32(step)
        )
        here = cv2.remap(small, *_texels(uv, 128), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen = np.minimum(seen, 1 - np.clip((here - r - 0.6) / np.float32(1.5 + 0.12 * step), 0, 1))
    return cv2.GaussianBlur(seen, (0, 0), 1.2)
