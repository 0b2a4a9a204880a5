"""What is in front of the emulated lens: a drawn person, photographs, a video, a webcam, an empty room or darkness."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from simulator import people
from simulator.people import Expression, Light, Pose

DARK = "dark"
WEBCAM = "webcam:"
_PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v")
_LARGEST_BYTES = 64 << 20  # of a photograph's file
_BEHIND = 0.6  # how much smaller a second person looks than the wearer
_FINEST = 192  # smaller pictures are drawn at twice their size and reduced, as the sensor's own scaler does


class SceneError(ValueError):
    """A scene that cannot be shown. One line: file (or "scene"), field and reason."""


@dataclass(frozen=True)
class Scene:
    """A source and how it looks from the watch.

    source: the seed of a drawn person; the path of a photograph, of a folder of them (each showing takes the next, by
    name) or of a video (runs from its start, again and again); "webcam:0"; "dark"; None for nobody, the empty room.
    A photograph fills the frame and is turned as the flat thing it is. distance 1.0 is the guided one; offset is a
    part of the frame, right and down. blur (out of focus, standard deviation) and motion (length of the streak, along
    motion_angle degrees) are in pixels of a frame 240 high. noise 1.0 is a usual sensor's. light's direction and
    warmth, expression, and company, the seed of a second drawn person who looks over a shoulder, are for drawn people.
    """

    source: int | str | Path | None
    pose: Pose = Pose()
    light: Light = Light()
    distance: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    motion: float = 0.0
    motion_angle: float = 0.0
    noise: float = 1.0
    expression: Expression = Expression()
    company: int | None = None

    def __post_init__(self) -> None:
        numbers = {
            "distance": (self.distance, 0.2, 20),
            "offset": (max(map(abs, self.offset)), 0, 2),
            "blur": (self.blur, 0, 50),
            "motion": (self.motion, 0, 100),
            "noise": (self.noise, 0, 50),
            "light.level": (self.light.level, 0, 16),
            "pose": (max(abs(self.pose.yaw), abs(self.pose.pitch)), 0, 90),
        }
        for field, (value, low, high) in numbers.items():
            if not low <= value <= high:
                raise SceneError(f"scene: {field}: must be from {low:g} to {high:g}, not {value:g}")


class View(ABC):
    """An opened scene."""

    is_live = False  # its pictures are of this moment, and there is no second one

    @abstractmethod
    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        """uint8 RGB [height, width, 3] as it is `shown_us` after it was first seen, in light of `level`."""


def open_scene(scene: Scene | None, seed: int, showing: int = 0) -> View:
    """The view of a scene (None: nobody). Raises SceneError.

    seed picks the empty room, showing the photograph of a folder.
    """
    source = None if scene is None else scene.source
    if scene is None or source is None:
        return _Room(seed, scene)
    if isinstance(source, bool) or (isinstance(source, int) and source < 0):
        raise SceneError(f"scene: source: a person's seed is a whole number, 0 or more, not {source}")
    if isinstance(source, int):
        return _Drawn(scene, source)
    if source == DARK:
        return _Dark()
    if isinstance(source, str) and source.startswith(WEBCAM):
        index = source[len(WEBCAM) :]
        if not (index.isascii() and index.isdigit()):
            raise SceneError(f"{source}: source: the webcam's number must follow the colon")
        return _Film(scene, int(index), source)
    return _open_path(scene, Path(source), seed, showing)


def _open_path(scene: Scene, path: Path, seed: int, showing: int) -> View:
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _PHOTOGRAPHS)
        if not inside:
            raise SceneError(f"{path}: source: no photographs in this folder")
        path = inside[showing % len(inside)]
    elif not path.exists():
        raise SceneError(f"{path}: source: no such file or folder")
    if path.suffix.lower() in _VIDEOS:
        return _Film(scene, str(path), str(path))
    return _Photograph(scene, _read(path), seed)


def _read(path: Path) -> np.ndarray:
    """The photograph, uint8 RGB, turned upright by its EXIF. Raises SceneError."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise SceneError(f"{path}: source: larger than {_LARGEST_BYTES >> 20} MB")
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SceneError(f"{path}: source: {error.strerror}") from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise SceneError(f"{path}: source: not a picture that OpenCV can read")
    return image


def _middle(square: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of a square picture that is as wide as the frame's longer side."""
    left, top = (square.shape[1] - width) // 2, (square.shape[0] - height) // 2
    return square[top : top + height, left : left + width]


def _dimmed(rgb: np.ndarray, level: float) -> np.ndarray:
    """The picture in other light: linear light times level, through the display's gamma of about 2."""
    table = np.clip(np.arange(256) * math.sqrt(level) + 0.5, 0, 255).astype(np.uint8)
    return table[rgb]


class _Dark(View):
    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)


class _Room(View):
    def __init__(self, seed: int, scene: Scene | None) -> None:
        self._seed = seed

    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        return _dimmed(_middle(people.empty_room(self._seed, max(width, height)), width, height), level)


_person = lru_cache(maxsize=4)(people.Person)  # the wearer comes before the lens again and again


class _Drawn(View):
    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._person = _person(seed)
        self._company = None if scene.company is None else _person(scene.company)
        self._drawn: tuple[tuple[int, int, float], np.ndarray] | None = None  # a person keeps still: frame after frame

    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        asked = width, height, level
        if self._drawn is None or self._drawn[0] != asked:
            self._drawn = asked, self._draw(width, height, level)
        return self._drawn[1]

    def _draw(self, width: int, height: int, level: float) -> np.ndarray:
        scene = self._scene
        side = max(width, height)
        fine = side if side >= _FINEST else 2 * side
        centre = (0.5 + scene.offset[0] * width / side, 0.5 + scene.offset[1] * height / side)
        light = replace(scene.light, level=level)
        scale = min(width, height) / side / scene.distance
        behind = None
        if self._company:  # in good light: the wearer's picture dims it with the rest of what is behind
            aside = centre[0] + 0.33 * scale, centre[1] - 0.08 * scale
            behind, _ = people.draw(
                self._company, light=replace(light, level=1.0), size=fine, scale=_BEHIND * scale, centre=aside
            )
            centre = centre[0] - 0.12 * scale, centre[1]
        rgb, _ = people.draw(self._person, scene.pose, light, scene.expression, fine, scale, centre, behind)
        if fine != side:
            rgb = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
        return _middle(rgb, width, height)


class _Photograph(View):
    def __init__(self, scene: Scene, image: np.ndarray, seed: int) -> None:
        self._scene, self._image, self._seed = scene, image, seed

    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        behind = _middle(people.empty_room(self._seed, max(width, height)), width, height)
        return _dimmed(hold_up(self._image, behind, self._scene), level)


class _Film(View):
    """A video file or a webcam. A webcam's pictures are not repeatable: the only source that is not."""

    def __init__(self, scene: Scene, source: str | int, name: str) -> None:
        self._scene, self._name = scene, name
        self._film = cv2.VideoCapture(source)
        self.is_live = isinstance(source, int)
        if not self._film.isOpened():
            raise SceneError(
                f"{name}: source: {'no such webcam' if self.is_live else 'not a video that OpenCV can read'}"
            )
        self._rate = self._film.get(cv2.CAP_PROP_FPS) or 25.0
        self._count = 0 if self.is_live else int(self._film.get(cv2.CAP_PROP_FRAME_COUNT))
        if not self.is_live and self._count < 1:
            raise SceneError(f"{name}: source: a video without pictures")

    def picture(self, width: int, height: int, shown_us: int, level: float) -> np.ndarray:
        if not self.is_live:
            self._film.set(cv2.CAP_PROP_POS_FRAMES, int(shown_us * self._rate / 1e6) % self._count)
        got, bgr = self._film.read()
        if not got:
            raise SceneError(f"{self._name}: source: the picture could not be read")
        behind = np.zeros((height, width, 3), np.uint8)
        return _dimmed(hold_up(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), behind, self._scene), level)


def hold_up(image: np.ndarray, behind: np.ndarray, scene: Scene) -> np.ndarray:
    """A flat picture in front of the lens, over what is behind: [h, w, 3] as `behind`.

    At distance 1.0 and straight it just fills the frame; turned, its near side grows as it would seen by an eye twice
    the frame's height away.
    """
    height, width = behind.shape[:2]
    high, wide = image.shape[:2]
    fit = max(width / wide, height / high) / scene.distance
    shrink = min(1.0, fit)
    if shrink < 0.7:  # warping alone would skip pixels
        image = cv2.resize(
            image, (max(1, round(wide * shrink)), max(1, round(high * shrink))), interpolation=cv2.INTER_AREA
        )
    half_w, half_h = wide * fit / 2, high * fit / 2
    corners = np.array(((-half_w, half_h, 0), (half_w, half_h, 0), (half_w, -half_h, 0), (-half_w, -half_h, 0)))
    turned = corners @ people.rotation(scene.pose).T
    eye = 2.0 * max(height, abs(turned[:, 2]).max())
    near = eye / (eye - turned[:, 2])
    middle = ((width - 1) / 2 + scene.offset[0] * width, (height - 1) / 2 + scene.offset[1] * height)
    there = np.column_stack((middle[0] + turned[:, 0] * near, middle[1] - turned[:, 1] * near)).astype(np.float32)
    image = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)  # half of its edge pixels would not be drawn
    right, bottom = image.shape[1] - 1.5, image.shape[0] - 1.5
    here = np.array(((0.5, 0.5), (right, 0.5), (right, bottom), (0.5, bottom)), np.float32)
    return cv2.warpPerspective(
        image, cv2.getPerspectiveTransform(here, there), (width, height), dst=behind.copy(),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip
