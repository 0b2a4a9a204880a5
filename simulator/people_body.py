"""What is round a drawn person's face: the room, clothes, neck, hair that hangs behind, and glasses.

These are flat shapes shaded as if they were round. Images are linear-light RGB float32, lengths mm in head coordinates.
"""

from collections.abc import Callable

import cv2
import numpy as np

from simulator.people_head import EYE_Y
from simulator.people_traits import Traits

Project = Callable[[np.ndarray], np.ndarray]  # camera-space mm [k, 3] to pixels [k, 2]
_SHIFT = 4


def room(seed: int, size: int) -> np.ndarray:
    """An out-of-focus wall [size, size, 3]: a gradient, sometimes with a door's or shelf's edge."""
    rng = np.random.Generator(np.random.PCG64((seed, 4)))
    base = rng.uniform(0.12, 0.75) * (1 + rng.uniform(-0.12, 0.12, 3))
    corners = (base * rng.uniform(0.65, 1.25, (2, 2, 1))).astype(np.float32)
    if rng.random() < 0.6:
        panel = np.repeat(np.repeat(corners, 8, 0), 8, 1)
        edge = int(rng.integers(2, 14))
        panel[:, edge:] *= np.float32(rng.uniform(0.55, 1.4))
        if rng.random() < 0.5:
            panel[int(rng.integers(9, 15)) :] *= np.float32(rng.uniform(0.5, 0.9))
        corners = panel
    return np.clip(cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR), 0, 1)


def polygon(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Cover 0..1 [h, w] of the polygon with these pixel corners."""
    drawn = np.zeros(image.shape[:2], np.uint8)
    limited = np.clip(corners, -4000, 4000)
    cv2.fillPoly(drawn, np.round(limited * (1 << _SHIFT)).astype(np.int32)[None], 255, cv2.LINE_AA, _SHIFT)
    return drawn.astype(np.float32) * np.float32(1 / 255)


def _lay(image: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Cover the image with colour [h or 1, w or 1, 3], channel by channel: numpy's quick way."""
    colour = np.broadcast_to(np.float32(colour), (*np.broadcast_shapes(np.shape(colour)[:-1], (1, 1)), 3))
    for channel in range(3):
        image[..., channel] += (colour[..., channel] - image[..., channel]) * cover


def _curve(points: list[tuple[float, float]], depth: float, project: Project) -> np.ndarray:
    """Pixels of a smooth closed shape through `points`, right half only given, mirrored to the left."""
    right = np.array(points, np.float32)
    fine = np.column_stack(
        [np.interp(np.linspace(0, len(right) - 1, 40), np.arange(len(right)), right[:, i]) for i in (0, 1)]
    )
    fine = cv2.blur(fine.astype(np.float32), (1, 5), borderType=cv2.BORDER_REPLICATE)
    both = np.vstack((fine, fine[::-1] * (-1, 1)))
    return project(np.column_stack((both, np.full(len(both), depth))))


def body(
    image: np.ndarray,
    traits: Traits,
    lit: Callable[[np.ndarray, np.ndarray], np.ndarray],
    rotation: np.ndarray,
    project: Project,
) -> None:
    """Draw shoulders, clothes, back hair and neck into `image`; lit(normals, colour) gives light reflected."""
    s = traits.shape
    neck, wide = s["neck_width"], s["shoulder_width"]
    middle = project(np.array([[0.0, -140.0, -20.0]]))[0]
    pixel = float(np.linalg.norm(project(np.array([[100.0, -140.0, -20.0]]))[0] - middle)) / 100  # pixels a mm
    columns = (np.arange(image.shape[1], dtype=np.float32) - middle[0]) / pixel

    def rounded(half: float, colour: np.ndarray) -> np.ndarray:
        across = np.clip(columns / half, -0.96, 0.96)
        normal = np.column_stack((across, np.full_like(across, 0.15), np.sqrt(1 - across * across)))
        return lit(normal, colour)[None]

    style = traits.hair_style
    if style in ("long", "long fringe"):
        hang = rotation @ np.array((0.0, -20.0, -45.0))
        swing = float(hang[0])
        long = -150 - 60 * abs(traits.part)
        outline = [
            (0, 118),
            (55, 105),
            (82, 60),
            (90, 0),
            (92 + traits.hair_volume, -60),
            (96 + traits.hair_volume, -120),
            (80, long),
            (0, long),
        ]
        cover = polygon(image, _curve(outline, -60, project) + (swing * pixel * 0.6, 0))
        strands = np.interp(
            columns,
            np.linspace(-140, 140, 90),
            1 + 0.28 * np.sin(np.arange(90) * 2.4 + 3 * traits.part) * np.cos(np.arange(90) * 0.7),
        )
        back = lit(np.array([[0.0, 0.0, 0.7]]), traits.hair)
        hair = (cover, (back * strands[:, None])[None])
        _lay(image, *hair)
    elif style == "bun":
        centre = project((rotation @ np.array((0.0, 128.0, -40.0)))[None])[0]
        turn = np.linspace(0, 2 * np.pi, 24)
        ring = centre + (24 + traits.hair_volume) * pixel * np.column_stack((np.cos(turn), np.sin(turn)))
        _lay(image, polygon(image, ring), lit(np.array([[0.0, 0.3, 0.8]]), traits.hair)[None])

    slope = [
        (0, -126),
        (neck * 0.95, -130),
        (neck * 1.35, -146),
        (wide * 0.72, -168),
        (wide * 0.95, -190),
        (wide * 1.05, -240),
        (wide * 1.08, -900),
        (0, -900),
    ]
    _lay(image, polygon(image, _curve(slope, -30, project)), rounded(wide * 1.15, traits.clothes))
    low = {"crew": -158.0, "high": -132.0, "v": -205.0, "shirt": -185.0}[traits.collar]
    top = rotation @ np.array((0.0, -38.0, -12.0))
    left, right = top[0] - neck * 0.98, top[0] + neck * 0.98
    skin = [
        (left, top[1]),
        (right, top[1]),
        (neck, -120),
        (neck * 1.15, -140),
        (neck * 0.5, low * 0.7 - 42),
        (0, low),
        (-neck * 0.5, low * 0.7 - 42),
        (-neck * 1.15, -140),
        (-neck, -120),
    ]
    corners = project(np.column_stack((np.array(skin), np.full(len(skin), -20.0))))
    cover = polygon(image, corners)
    # Under the chin the neck lies in shadow.
    chin = project((rotation @ np.array((0.0, EYE_Y - s["face_length"], 70.0)))[None])[0][1]
    below = (np.arange(image.shape[0], dtype=np.float32) - chin) / pixel
    shadow = 0.48 + 0.42 * np.clip((below - 4) / 45, 0, 1)
    _lay(
        image,
        cover,
        rounded(neck * 1.25, traits.skin * np.array((0.95, 0.88, 0.86), np.float32)) * shadow[:, None, None],
    )


def glasses(
    image: np.ndarray,
    traits: Traits,
    eyes: np.ndarray,
    nose: float,
    rotation: np.ndarray,
    project: Project,
    light: float,
) -> None:
    """Draw the glasses: eyes [2, 3] head mm, `nose` the bridge's depth; `light` scales their colours."""
    half_w, half_h, square, thick, shade = traits.glasses
    depth = max(nose + 2.5, float(eyes[:, 2].max()) + 11)
    turn = np.linspace(0, 2 * np.pi, 40)
    round_x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / square)
    round_y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / square)
    middle = float(eyes[:, 1].mean()) - 2.5
    spacing = float(np.abs(eyes[:, 0]).mean()) + 1.0
    half_w = min(half_w, spacing - 5)
    lines = []
    pixel = float(np.linalg.norm(np.diff(project(np.array([[0.0, 0, depth], [10.0, 0, depth]])), axis=0))) / 10
    for side in (-1, 1):
        bow = depth - 5 * np.abs((side * spacing + half_w * round_x) / 60) ** 2
        rim = np.column_stack((side * spacing + half_w * round_x, middle + half_h * round_y, bow))
        rim = project(rim @ rotation.T)
        lens = polygon(image, rim) * np.float32(shade + 0.04)
        _lay(image, lens, np.float32(0.5 * light) * (0.3 + traits.iris))
        lines.append(rim)
        hinge = np.array(
            (
                (side * (spacing + half_w), middle + 3, depth - 8),
                (side * (spacing + half_w + 4), middle + 3, depth - 16),
                (side * 80, middle + 3, 15),
            )
        )
        if (rotation @ np.array((side, 0.0, 0.0)))[2] > -0.12:  # the arm on the far side hides behind the head
            lines.append(project(hinge[: 3 if (rotation @ np.array((side, 0.0, 0.0)))[2] > 0.05 else 2] @ rotation.T))
    bridge = np.array(
        ((-spacing + half_w, middle + 3, depth), (0, middle + 5.5, depth + 1), (spacing - half_w, middle + 3, depth))
    )
    lines.append(project(bridge @ rotation.T))
    drawn = np.zeros(image.shape[:2], np.uint8)
    for line in lines:
        cv2.polylines(
            drawn,
            np.round(line * (1 << _SHIFT)).astype(np.int32)[None],
            False,
            255,
            max(1, round(thick * pixel)),
            cv2.LINE_AA,
            _SHIFT,
        )
    _lay(
        image,
        drawn.astype(np.float32) * np.float32(1 / 255),
        traits.hair[::-1] * np.float32(0.3 * light) + np.float32(0.012 * light),
    )
