"""The form of a drawn person's head: a radius for every direction from its middle, normals and landmarks.

Head coordinates are mm: x to the viewer's right when the person faces us, y up, z towards us. The surface is kept on a
square map in Lambert's azimuthal equal-area projection around +z, which needs no trigonometry and puts the
fine part, the face, in the middle. Map coordinates u (right) and v (up) run from -EXTENT to EXTENT.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from simulator.people_traits import Traits

EXTENT = 1.75  # 122 degrees from the front: what a head turned by 45 degrees can show
GRID = 256  # geometry texels a side
EYE_Y = 26.0  # height of the eye line
_COARSE = 128  # the skull without features is smooth: solved coarsely, then enlarged
_ROUND = 2.25  # exponent of a horizontal section: 2 an ellipse, more is squarer
_BACK = 96.0  # depth of the head behind the ears
_TABLE = np.linspace(-130.0, 170.0, 601, dtype=np.float32)


@dataclass
class Face:
    """Places on the face in frontal mm, moved by the expression; drawing and form both go by it."""

    eyes: tuple[tuple[float, float], tuple[float, float]]
    nose_tip: tuple[float, float]
    mouth: tuple[float, float]  # middle of the mouth line
    corner_rise: float  # of the mouth corners over the middle
    mouth_half: float
    opening: float  # height of the open mouth
    chin_y: float
    smile: float
    eyes_open: float


def place_face(traits: Traits, smile: float, mouth_open: float, eyes_open: float) -> Face:
    """The places for one expression; smile, mouth_open, eyes_open as in people.Expression."""
    s = traits.shape
    chin = EYE_Y - s["face_length"]
    tip = EYE_Y - s["nose_length"]
    mouth = tip + (chin - tip) * s["lip_gap"]
    lopsided = s["asymmetry"]
    opening = 20.0 * mouth_open + 4.0 * max(0.0, smile - 0.4)
    return Face(
        eyes=((-s["eye_spacing"] - 0.4 * lopsided, EYE_Y + 0.7 * lopsided), (s["eye_spacing"], EYE_Y - 0.7 * lopsided)),
        nose_tip=(s["nose_bend"], tip + s["nose_tip_turn"]),
        mouth=(0.8 * lopsided, mouth),
        corner_rise=s["mouth_curve"] + 4.5 * smile,
        mouth_half=s["mouth_width"] * (1 + 0.14 * smile - 0.12 * mouth_open),
        opening=opening,
        chin_y=chin - 0.55 * opening,
        smile=smile,
        eyes_open=eyes_open * (1 - 0.18 * max(0.0, smile)),
    )


@cache
def directions(n: int) -> np.ndarray:
    """Unit directions [n, n, 3] of the map's texels, texel centres."""
    axis = ((np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1) * EXTENT
    u, v = np.meshgrid(axis, -axis)
    q = np.minimum(u * u + v * v, np.float32(3.96))
    s = np.sqrt(1 - q / 4)
    direction = np.dstack((u * s, v * s, 1 - q / 2))
    return direction / np.linalg.norm(direction, axis=2, keepdims=True)


DIRECTIONS = directions(GRID)


def to_map(points: np.ndarray, n: int) -> np.ndarray:
    """Texel coordinates [k, 2] (column, row) on an n x n map of head points [k, 3]."""
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    uv = unit[:, :2] * np.sqrt(2 / (1 + unit[:, 2:3]))
    return (np.column_stack((uv[:, 0], -uv[:, 1])) / EXTENT + 1) * (n / 2) - 0.5


def _smooth(values: np.ndarray, mm: float) -> np.ndarray:
    """`values` along _TABLE, blurred over `mm`."""
    return cv2.GaussianBlur(values.reshape(1, -1), (0, 0), mm * 2, borderType=cv2.BORDER_REPLICATE).ravel()


class Skull:
    """The head without features: half width and front depth for each height, and the radius map they give.

    lumps [GRID, GRID] mm are added: no head is as smooth as its profiles.
    """

    def __init__(self, traits: Traits, lumps: np.ndarray) -> None:
        s = traits.shape
        y = _TABLE
        chin = EYE_Y - s["face_length"]
        crown = EYE_Y + s["cranium"]
        wide = s["face_width"]
        heights = [chin + 8, chin + 16, -52 + 0.4 * (chin + 88), -26, 0, 26, 62, 100]
        widths = [wide * s["chin_width"] * 0.8, wide * s["chin_width"], wide * s["jaw_width"] * 0.88,
                  wide * (0.45 + 0.52 * s["jaw_width"]), wide, wide, wide * s["forehead_width"],
                  wide * s["forehead_width"] * 0.97]  # fmt: skip
        depths = [91 + s["chin_forward"], 93 + s["chin_forward"], 92 + 0.4 * s["chin_forward"], 93, 93, 92,
                  93 + 0.2 * s["forehead_slope"], 88 + s["forehead_slope"]]  # fmt: skip
        width = _smooth(np.interp(y, heights, widths).astype(np.float32), 9)
        depth = _smooth(np.interp(y, heights, depths).astype(np.float32), 7)
        up = np.clip((y - 45) / (crown - 45), 0, 1)
        down = np.clip((chin + 17 - y) / 17, 0, 1)
        self.half_width = width * (1 - up**2.5) ** 0.45 * (1 - down**2.2) ** 0.5 + np.float32(0.5)
        self.front = depth * (1 - up**2.3) ** 0.5 * (1 - down**3) ** 0.45 + np.float32(0.5)
        self.radius = self._solve() + lumps
        self.points = DIRECTIONS * self.radius[..., None]
        self.x, self.y = np.ascontiguousarray(self.points[..., 0]), np.ascontiguousarray(self.points[..., 1])

    def _solve(self) -> np.ndarray:
        """Radius [GRID, GRID] by bisection: the sections are convex enough for one crossing a direction."""
        coarse = directions(_COARSE)
        x, y, z = (np.ascontiguousarray(coarse[..., i]) for i in range(3))
        ax, az, behind = np.abs(x), np.abs(z), z < 0
        low = np.full(x.shape, 15, np.float32)
        high = np.full(x.shape, 175, np.float32)
        for _ in range(13):
            mid = (low + high) / 2
            at = np.clip((y * mid + 130) * 2, 0, 600).astype(np.int32)
            deep = self.front[at]
            deep = np.where(behind, np.minimum(deep * np.float32(1.05), np.float32(_BACK)), deep)
            inside = (ax * mid / self.half_width[at]) ** _ROUND + (az * mid / deep) ** _ROUND < 1
            low = np.where(inside, mid, low)
            high = np.where(inside, high, mid)
        return cv2.resize(cv2.GaussianBlur((low + high) / 2, (0, 0), 1.0), (GRID, GRID), interpolation=cv2.INTER_CUBIC)

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Head points [k, 3] on the bare skull's front at frontal places xy [k, 2]."""
        width = np.interp(xy[:, 1], _TABLE, self.half_width)
        depth = np.interp(xy[:, 1], _TABLE, self.front)
        across = np.minimum(np.abs(xy[:, 0]) / width, 0.985)
        return np.column_stack(
            (across * np.sign(xy[:, 0]) * width, xy[:, 1], depth * (1 - across**_ROUND) ** (1 / _ROUND))
        )


Hill = tuple[tuple[float, float], tuple[float, float], float]  # place, spread, height, mm


def _raise(total: np.ndarray, skull: Skull, hills: list[Hill]) -> None:
    """Add Gaussian hills to the map `total`, each only where it is felt."""
    span = np.array([(at, spread) for at, spread, _ in hills])
    corners = [span[:, 0] + span[:, 1] * (2.4 * i, 2.4 * j) for i in (-1, 1) for j in (-1, 1)]
    texels = np.stack([to_map(skull.at(places), GRID) for places in corners])
    # skull.at stops short of the sides: the margin reaches round to them.
    low = np.clip(texels.min(0) - 14, 0, GRID).astype(int)
    high = np.clip(texels.max(0) + 15, 0, GRID).astype(int)
    for (at, spread, height), (left, top), (right, bottom) in zip(hills, low, high, strict=True):
        window = slice(top, bottom), slice(left, right)
        dx = (skull.x[window] - np.float32(at[0])) * np.float32(1 / spread[0])
        dy = (skull.y[window] - np.float32(at[1])) * np.float32(1 / spread[1])
        total[window] += cv2.exp(-(dx * dx + dy * dy)) * np.float32(height)


_FRONT = slice(GRID * 14 // 100, GRID * 86 // 100)  # the part of the map that holds the features


def features(traits: Traits, skull: Skull, face: Face) -> np.ndarray:
    """What eyes, nose, mouth, cheeks and chin add to the skull's radius, mm, [GRID, GRID]."""
    s = traits.shape
    hills: list[Hill] = []
    age = s["age"]
    chin = face.chin_y
    for side in (-1, 1):
        ex, ey = face.eyes[(side + 1) // 2]
        mx, my = face.mouth[0] + side * face.mouth_half, face.mouth[1]
        hills += [
            ((ex, ey + 2), (16, 11), -s["socket_depth"]),
            ((ex - side * 14, ey + 3), (7, 9), -3.0),
            ((ex, ey), (s["eye_width"] * 0.85, 8), 3.2 + 0.35 * s["socket_depth"]),
            ((ex - side * 1, ey + s["brow_height"] - 1), (19, 6.5), s["brow_ridge"] + 1),
            ((side * 47, -4.0 + 0.2 * s["face_length"] - 22), (15, 13), s["cheekbone"]),
            ((side * 40, -30), (17, 20), s["cheek_fill"] - 2.0 * age),
            ((side * 36, -14), (13, 11), 4.5 * face.smile),
            ((side * 54, -50), (16, 17), s["jaw_corner"] + 2.0 * age),
            ((side * 64, 50), (14, 18), -2.5),
            ((ex, ey - 13), (11, 4.5), 1.8 * s["eye_bags"] * (0.3 + age)),
            ((mx + side * 4, my + face.corner_rise), (6, 6), -1.5 - 1.5 * max(0.0, face.smile)),
        ]
    mx, my = face.mouth
    drop = face.opening
    wide, upper, lower = face.mouth_half, s["lip_upper"], s["lip_lower"]
    hills += [
        ((0, 72), (40, 24), 0.35 * s["forehead_slope"] + 2),
        ((0, my - 2), (30, 19), s["muzzle"]),
        ((mx, my + 0.6 * upper), (wide * 0.72, 0.7 * upper + 1.5), 0.5 * s["lip_forward"] + 0.25 * upper),
        ((mx, my - drop - 0.55 * lower), (wide * 0.62, 0.6 * lower + 1.5), 0.5 * s["lip_forward"] + 0.28 * lower),
        ((mx, my - drop / 2), (wide, 1.6 + 0.45 * drop), -2.2 - 0.35 * drop),
        ((0, my - drop - lower - 6), (19, 5), -3.2),
        ((0, chin + 15), (19, 12), s["chin_ball"] + 1),
        ((0, chin + 13), (2.5, 7), -2.5 * max(0.0, s["chin_cleft"])),
        ((0, (face.nose_tip[1] + my) / 2 - 2), (3.0, 6), -1.2),
    ]
    hills += _nose_ends(traits, face)
    total = np.zeros((GRID, GRID), np.float32)
    total[_FRONT, _FRONT] = _nose_ridge(traits, face, skull.x[_FRONT, _FRONT], skull.y[_FRONT, _FRONT])
    _raise(total, skull, hills)
    return total * (skull.points[..., 2] > 0)


def _nose_ridge(traits: Traits, face: Face, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The height over the skull, mm, of the nose's ridge, which widens from bridge to tip."""
    s = traits.shape
    tip_x, tip = face.nose_tip
    top = EYE_Y + 9.0
    along = np.clip((top - y) / (top - tip), 0, 1)
    height = s["nose_bridge"] + (s["nose_height"] * 0.86 - s["nose_bridge"]) * along**1.25
    height += s["nose_hump"] * cv2.exp(-(((along - 0.5) * 4) ** 2))
    height *= 1 - np.clip((y - top) / 16 + 0.35, 0, 1) ** 1.5  # fades into the forehead
    under = np.clip((tip - y) / 9.5, 0, 1)
    height *= 1 - under * under * (3 - 2 * under)
    width = s["nose_bridge_width"] + (s["nose_tip_width"] - s["nose_bridge_width"]) * along**2
    across = (x - tip_x * along) / width
    return height * cv2.exp(0.35 - (across * across + 0.27) ** 0.8)


def _nose_ends(traits: Traits, face: Face) -> list[Hill]:
    """The ball at the nose's tip and its two wings."""
    s = traits.shape
    tip_x, tip = face.nose_tip
    wing = s["nose_wing"] + 1.5 * max(0.0, face.smile) - 4.5
    ball = ((tip_x, tip + 1), (s["nose_tip_width"] * 0.85, 7.5), s["nose_height"] * 0.2)
    return [ball, *(((tip_x + k * wing, tip - 4.5), (5.2, 6.0), 5.5 + 0.12 * s["nose_height"]) for k in (-1, 1))]


def ears(traits: Traits, skull: Skull) -> np.ndarray:
    """The ears' height over the skull, mm, [GRID, GRID]: ridges on the sides, seen from the front as ears."""
    s = traits.shape
    x, y, z = (skull.points[..., i] for i in range(3))
    tall = (y - (EYE_Y - 14)) / s["ear_size"]
    rim = np.clip(1 - np.abs(tall) ** 3, 0, 1) * (0.75 + 0.25 * np.clip(tall + 0.6, 0, 1))
    middle = -4 + 5 * tall
    return (s["ear_out"] * rim * cv2.exp(-(((z - middle) / 7.5) ** 2)) * (np.abs(x) > 30)).astype(np.float32)


def normals(radius: np.ndarray) -> np.ndarray:
    """Unit outward normals [GRID, GRID, 3] of the surface with this radius map."""
    points = DIRECTIONS * radius[..., None]
    du = np.empty_like(points)
    dv = np.empty_like(points)
    du[:, 1:-1] = points[:, 2:] - points[:, :-2]
    dv[1:-1] = points[:-2] - points[2:]
    du[:, 0], du[:, -1], dv[0], dv[-1] = du[:, 1], du[:, -2], dv[1], dv[-2]
    ax, ay, az = du[..., 0], du[..., 1], du[..., 2]
    bx, by, bz = dv[..., 0], dv[..., 1], dv[..., 2]
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    inverse = 1 / (np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-6))
    return cv2.merge([nx * inverse, ny * inverse, nz * inverse])


def hollows(radius: np.ndarray) -> np.ndarray:
    """How much sky each place sees, 0.35..1.15, [GRID, GRID]: lower than its surroundings is darker."""
    near = cv2.GaussianBlur(radius, (0, 0), 3) - radius
    far = cv2.GaussianBlur(radius, (0, 0), 11) - radius
    return np.clip(1 - 0.10 * near - 0.035 * far, 0.35, 1.15)


def landmarks(skull: Skull, radius: np.ndarray, face: Face) -> np.ndarray:
    """Head points [5, 3] of the eyes, nose tip and mouth corners, image left first, on the finished surface."""
    mx, my = face.mouth
    corner = my + face.corner_rise
    places = np.array([*face.eyes, face.nose_tip, (mx - face.mouth_half, corner), (mx + face.mouth_half, corner)])
    bare = skull.at(places)
    at = to_map(bare, GRID).astype(np.float32)
    found = cv2.remap(radius, at[:, 0].reshape(1, -1), at[:, 1].reshape(1, -1), cv2.INTER_LINEAR).ravel()
    return bare / np.linalg.norm(bare, axis=1, keepdims=True) * found[:, None]
