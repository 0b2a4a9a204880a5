"""`camera` with the API of micropython-camera-API, awkward behaviour included; the picture comes from the host."""

import json

import _link
from protocol import CAMERA_CAPTURE, CAMERA_DEINIT, CAMERA_INIT

_ENOENT = 2
_active = None  # the one Camera that is initialised


class PixelFormat:
    RGB565, YUV422, YUV420, GRAYSCALE, JPEG, RGB888 = 0, 1, 2, 3, 4, 5


class FrameSize:
    R96X96, QQVGA, R128x128, QCIF, HQVGA, R240X240, QVGA, R320X320, CIF, HVGA, VGA = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10


class GrabMode:
    WHEN_EMPTY, LATEST = 0, 1


class Camera:
    def __init__(self, *, data_pins, pclk_pin, vsync_pin, href_pin, sda_pin, scl_pin, xclk_pin,
                 xclk_freq=20000000, powerdown_pin=-1, reset_pin=-1, pixel_format=PixelFormat.RGB565,
                 frame_size=FrameSize.QQVGA, jpeg_quality=85, fb_count=2, grab_mode=GrabMode.WHEN_EMPTY, init=True):
        if len(data_pins) != 8:
            raise ValueError("data_pins must be 8 pins")
        self._format = pixel_format
        self._size = frame_size
        self._pins = json.dumps({
            "data_pins": data_pins, "pclk_pin": pclk_pin, "vsync_pin": vsync_pin, "href_pin": href_pin,
            "sda_pin": sda_pin, "scl_pin": scl_pin, "xclk_pin": xclk_pin, "powerdown_pin": powerdown_pin,
            "reset_pin": reset_pin}).encode()
        if init:
            self.init()

    def init(self):
        """A new camera takes the driver from the one before it."""
        global _active
        _active = None
        error = _link.call(CAMERA_INIT, self._format, self._size, self._pins)[0]
        if error:
            raise OSError(error)
        _active = self

    def deinit(self):
        global _active
        if _active is self:
            _active = None
            _link.call(CAMERA_DEINIT)

    def capture(self):
        """A read-only memoryview of the driver's buffer, or None."""
        if _active is not self:
            raise OSError(_ENOENT)
        data = _link.call(CAMERA_CAPTURE)[1]
        return memoryview(data) if data else None
