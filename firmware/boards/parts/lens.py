"""The camera, opened for a check-in and closed after it; its awkward habits end here.

The driver may not find the sensor at first, may give None instead of a frame, and its first frames are badly exposed.
"""

import time

import camera

_OPEN_TRIES = 3
_FRAME_TRIES = 5
_SETTLING_FRAMES = 4  # automatic exposure, OV2640
_RETRY_MS = 100


class CameraFault(Exception):
    """The camera does not answer or gives no frames: a fault of the device."""


class Lens:
    """Frames of `width` x `height` RGB565, high byte first. `light` is on whenever the camera is."""

    Fault = CameraFault
    width = 240
    height = 240

    def __init__(self, light, **pins):
        self._light = light
        light.off()
        self._pins = pins
        self._camera = None

    def open(self):
        """Raises CameraFault."""
        self._light.on()
        for left in range(_OPEN_TRIES - 1, -1, -1):
            try:
                self._camera = camera.Camera(
                    pixel_format=camera.PixelFormat.RGB565, frame_size=camera.FrameSize.R240X240, fb_count=1,
                    grab_mode=camera.GrabMode.LATEST, **self._pins)
                break
            except OSError as error:
                if not left:
                    self._light.off()
                    raise CameraFault("camera not found, error %d" % error.args[0])
                time.sleep_ms(_RETRY_MS)
        for _ in range(_SETTLING_FRAMES):
            self._capture()

    def frame(self):
        """The driver's buffer of the newest frame, read-only, good until the next call. Raises CameraFault."""
        for _ in range(_FRAME_TRIES):
            frame = self._capture()
            if frame is not None and len(frame) == 2 * self.width * self.height:
                return frame
            time.sleep_ms(_RETRY_MS)
        raise CameraFault("camera gives no frames")

    def _capture(self):
        try:
            return self._camera.capture()
        except OSError as error:
            raise CameraFault("camera lost, error %d" % error.args[0])

    def close(self):
        if self._camera:
            self._camera.deinit()
            self._camera = None
        self._light.off()
