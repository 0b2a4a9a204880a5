"""The host side of the emulated camera: what an OV2640 behind Espressif's esp32-camera driver gives of a scene.

Frame sizes and byte order follow esp32-camera: `resolution` in driver/sensor.c, and RGB565 with the high byte first,
as its own converters read a frame (conversions/to_bmp.c, fmt2rgb888).
"""

from __future__ import annotations

import errno as codes
import math
from collections.abc import Callable

import cv2
import numpy as np

from simulator.devices.scene import DARK, Scene, SceneError, View, open_scene

__all__ = [
    "DARK",
    "Camera",
    "CameraError",
    "FrameSize",
    "PixelFormat",
    "Scene",
    "SceneError",
    "rgb565",
    "rgb565_to_rgb",
]

FAULTS = ("none-frames", "not-found", "stuck")
KEPT_FRAMES = 128
JPEG_QUALITY = 85

# Light and green cast of the first frames after init: exposure and white balance are still settling.
_SETTLING = ((0.10, 1.40), (0.28, 1.25), (0.58, 1.12), (0.84, 1.04))
_READ_NOISE, _SHOT_NOISE = 1.5, 0.16  # standard deviations: of 255; times the square root of the value


class PixelFormat:
    """micropython-camera-API's numbers."""

    RGB565, YUV422, YUV420, GRAYSCALE, JPEG, RGB888 = range(6)


class FrameSize:
    """micropython-camera-API's numbers; PIXELS gives width and height."""

    R96X96, QQVGA, R128X128, QCIF, HQVGA, R240X240, QVGA, R320X320, CIF, HVGA, VGA = range(11)
    PIXELS = ((96, 96), (160, 120), (128, 128), (176, 144), (240, 176), (240, 240), (320, 240), (320, 320), (400, 296),
              (480, 320), (640, 480))  # fmt: skip


class CameraError(OSError):
    """What the driver raises, with an errno. (The real module says -261, ESP_ERR_NOT_FOUND, where we say ENODEV.)"""

    def __init__(self, code: int) -> None:
        super().__init__(code, codes.errorcode.get(code, "camera"))
        self.code = code


def rgb565(rgb: np.ndarray) -> bytes:
    """uint8 RGB [h, w, 3] as 2 * h * w bytes, high byte first: rrrrrggg gggbbbbb."""
    red, green, blue = (rgb[..., i].astype(np.uint16) for i in range(3))
    return ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).astype(">u2").tobytes()


def rgb565_to_rgb(data: bytes, width: int, height: int) -> np.ndarray:
    """The uint8 RGB [height, width, 3] that such bytes show, full white being 255."""
    value = np.frombuffer(data, ">u2").reshape(height, width)
    red, green, blue = value >> 11, value >> 5 & 63, value & 31
    return np.dstack((red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2)).astype(np.uint8)


class Camera:
    """The camera of one watch. The same seed, scenes and times give the same bytes.

    fault: None, "none-frames" (capture gives None), "not-found" (init raises ENODEV) or "stuck" (one frame for ever).
    `open` opens what is shown; `took_live` is called with the time and the picture of each frame of a webcam.
    frames: the last KEPT_FRAMES (now_us, uint8 RGB array) taken, for the report.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.open: Callable[[Scene | None, int, int], View] = open_scene
        self.took_live: Callable[[int, np.ndarray], None] = lambda now_us, rgb: None
        self.fault: str | None = None
        self.frames: list[tuple[int, np.ndarray]] = []
        self._format: int | None = None
        self._size = (0, 0)
        self._since_init = 0
        self._taken = 0
        self._stuck: np.ndarray | None = None
        self._showings: dict[str, int] = {}
        self.show(None)

    def show(self, scene: Scene | None) -> None:
        """Put a scene in front of the lens; None: nobody there. Raises SceneError."""
        name = str(scene.source) if scene else ""
        showing = self._showings.get(name, 0)
        self._view: View = self.open(scene, self._seed, showing)
        self._showings[name] = showing + 1
        self.scene = scene
        self._shown_us: int | None = None

    def init(self, pixel_format: int, frame_size: int) -> None:
        """Power up with these formats.

        Raises CameraError: ENODEV no sensor, EOPNOTSUPP a format the OV2640 driver has not, EINVAL no such frame size.
        """
        self._format = None
        if self.fault == "not-found":
            raise CameraError(codes.ENODEV)
        if pixel_format not in (PixelFormat.RGB565, PixelFormat.GRAYSCALE, PixelFormat.JPEG):
            raise CameraError(codes.EOPNOTSUPP)
        if not 0 <= frame_size < len(FrameSize.PIXELS):
            raise CameraError(codes.EINVAL)
        self._format, self._size = pixel_format, FrameSize.PIXELS[frame_size]
        self._since_init = 0
        self._stuck = None

    def capture(self, now_us: int) -> bytes | None:
        """A frame in the format of init, or None where the driver gives none. Raises CameraError ENOENT before init."""
        if self._format is None:
            raise CameraError(codes.ENOENT)
        if self.fault == "none-frames":
            return None
        rgb = self._expose(now_us) if self.fault != "stuck" or self._stuck is None else self._stuck
        self._stuck = rgb
        self.frames.append((now_us, rgb))
        del self.frames[:-KEPT_FRAMES]
        return self._packed(rgb)

    def preview(self, width: int, height: int, now_us: int) -> np.ndarray:
        """What is before the lens, without the sensor's noise: uint8 RGB [height, width, 3].

        Takes no frame: nothing that the watch sees later changes by it. Raises SceneError.
        """
        scene = self.scene or Scene(None)
        gain = _gain(scene.light.level)
        since_us = 0 if self._shown_us is None else now_us - self._shown_us
        return _blurred(self._view.picture(width, height, since_us, scene.light.level * gain), scene, height / 240)

    def _expose(self, now_us: int) -> np.ndarray:
        """uint8 RGB [h, w, 3] as the sensor reads it."""
        scene = self.scene or Scene(None)
        if self._shown_us is None:
            self._shown_us = now_us
        width, height = self._size
        gain = _gain(scene.light.level)
        rgb = self._view.picture(width, height, now_us - self._shown_us, scene.light.level * gain)
        if self._view.is_live:
            self.took_live(now_us, rgb)
        light = _blurred(rgb, scene, height / 240).astype(np.float32)
        if self._since_init < len(_SETTLING):
            part, green = _SETTLING[self._since_init]
            light *= np.float32(math.sqrt(part)) * np.array((1, green, 1), np.float32)
        rng = np.random.Generator(np.random.PCG64((self._seed, now_us, self._taken)))
        spread = np.float32(scene.noise * math.sqrt(gain)) * (_READ_NOISE + np.float32(_SHOT_NOISE) * np.sqrt(light))
        light += spread * rng.standard_normal(light.shape, np.float32)
        self._since_init += 1
        self._taken += 1
        return np.clip(light + np.float32(0.5), 0, 255).astype(np.uint8)

    def _packed(self, rgb: np.ndarray) -> bytes:
        if self._format == PixelFormat.RGB565:
            return rgb565(rgb)
        if self._format == PixelFormat.GRAYSCALE:
            return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).tobytes()
        return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _gain(level: float) -> float:
    """Automatic exposure makes up for half of the missing light, in stops, and its gain lifts the noise too."""
    return float(np.clip(1 / math.sqrt(max(level, 1e-3)), 0.25, 4))


def _blurred(rgb: np.ndarray, scene: Scene, pixels: float) -> np.ndarray:
    """The picture out of focus and smeared; `pixels` of this frame to one of a frame 240 high."""
    if scene.blur > 0:
        rgb = cv2.GaussianBlur(rgb, (0, 0), scene.blur * pixels)
    length = scene.motion * pixels
    if length >= 1:
        side = 2 * math.ceil(length / 2) + 1
        kernel = np.zeros((side, side), np.uint8)
        reach = (
            np.array((math.cos(math.radians(scene.motion_angle)), math.sin(math.radians(scene.motion_angle))))
            * length
            / 2
        )
        ends = np.round((np.array((side // 2, side // 2)) + np.array((-reach, reach))) * 16).astype(int)
        cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), (255,), 1, cv2.LINE_AA, 4)
        rgb = cv2.filter2D(rgb, -1, kernel.astype(np.float32) / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return rgb
