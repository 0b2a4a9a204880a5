"""Whether a frame is good enough to tell whose face it shows; what is wrong with it, if not.

Measured in whole numbers on the upright grey crop of the face, so that the same holds near and far: SIZE pixels a side,
the middle of the five landmarks in its centre, the eyes EYES pixels apart. What the limits let
through and what they refuse is measured by models/evaluate_quality.py.
"""

from array import array

from . import image
from .face import TEMPLATE_112, isqrt

# Flaws, by their numbers as reasons of a check-in (docs/SPEC.md).
NO_FACE, TOO_DARK, TOO_BRIGHT, BLURRED, TOO_FAR, TOO_NEAR, TURNED_AWAY, SEVERAL_FACES = 3, 4, 13, 14, 15, 16, 17, 18

SIZE, EYES = 64, 22
LEFT, TOP, RIGHT, BOTTOM = 12, 12, 46, 52  # the part of the crop that is face; differences reach 6 further
GLARE = 250  # grey at which a pixel has nothing to say

_FAR_PX, _NEAR_PX = 24, 110  # eye distance in the frame
_FAINT, _BRIGHT, _GLARE_PM = 9, 225, 400  # too dark is too faint, not dark: skin of any shade is as good
_FRAME_DARK, _FRAME_BRIGHT = 24, 235  # of a frame without a face
_SHARP_PM = 210
_YAW, _UP, _DOWN = 30, 20, 95

_MIDDLE = [sum([point[axis] for point in TEMPLATE_112]) for axis in (0, 1)]  # five times
_TEMPLATE_EYES = isqrt(sum([(TEMPLATE_112[1][axis] - TEMPLATE_112[0][axis]) ** 2 for axis in (0, 1)]))
# Where an upright face has its landmarks in the crop, in 1/1024 pixel.
TEMPLATE = tuple([
    tuple([(5 * point[axis] - _MIDDLE[axis]) * EYES * 1024 // (5 * _TEMPLATE_EYES) + (SIZE - 1) * 512
           for axis in (0, 1)])
    for point in TEMPLATE_112])


class Quality:
    """What was measured. Grey is 0..255; a frame without a face has a brightness and nothing else.

    brightness: mean grey of the face
    contrast: by how much its pixels six apart differ (root of the sum of the mean squares across and down)
    glare_pm: its pixels at GLARE and above, per mille
    sharpness_pm: how much pixels two apart differ over how much those six apart do (squares, per mille), along the axis
        where that is less: light and contrast cancel out, and noise hardly counts
    eyes_px: eye distance in the frame
    yaw: how far the nose tip is from the middle of eyes and mouth corners, along the eye line, in 1/100 eye distance,
        right in the image positive; 1 is about 0.8 degrees, and a profile has 45 or so
    pitch: where the nose tip is between eye line (0) and mouth (100): 55 or so straight ahead, less looking up
    faces: how many the frame shows
    """

    def __init__(self, brightness, contrast=0, glare_pm=0, sharpness_pm=0, eyes_px=0, yaw=0, pitch=0, faces=0):
        self.brightness = brightness
        self.contrast = contrast
        self.glare_pm = glare_pm
        self.sharpness_pm = sharpness_pm
        self.eyes_px = eyes_px
        self.yaw = yaw
        self.pitch = pitch
        self.faces = faces

    @property
    def flaw(self) -> int:
        """The gravest flaw, 0 where the frame is good."""
        if not self.faces:
            return TOO_DARK if self.brightness < _FRAME_DARK else (
                TOO_BRIGHT if self.brightness > _FRAME_BRIGHT else NO_FACE)
        is_faint = self.contrast < _FAINT
        for is_so, flaw in (
            (self.faces > 1, SEVERAL_FACES), (self.eyes_px < _FAR_PX, TOO_FAR), (self.eyes_px > _NEAR_PX, TOO_NEAR),
            (abs(self.yaw) > _YAW or not _UP <= self.pitch <= _DOWN, TURNED_AWAY),
            (is_faint and self.brightness < 128, TOO_DARK),
            (is_faint or self.brightness > _BRIGHT or self.glare_pm > _GLARE_PM, TOO_BRIGHT),
            (self.sharpness_pm < _SHARP_PM, BLURRED)):
            if is_so:
                return flaw
        return 0


def measure(frame, width: int, height: int, face, faces: int) -> Quality:
    """The quality of `face`, one of `faces` in an RGB565 frame. Raises image.FrameError."""
    turn = image.similarity(face.landmarks, TEMPLATE)
    grey = bytearray(SIZE * SIZE)
    image.crop(grey, frame, width, height, turn, SIZE)
    sums = array("i", [0] * 6)
    image.texture(grey, SIZE, array("i", [LEFT, TOP, RIGHT, BOTTOM, GLARE]), sums)
    total, glares, near_across, far_across, near_down, far_down = sums
    pixels = (RIGHT - LEFT) * (BOTTOM - TOP)
    sharpness_pm = min(1000 * near_across // (far_across + 1), 1000 * near_down // (far_down + 1))
    yaw, pitch = attitude(face.landmarks, turn)
    contrast = isqrt((far_across + far_down) // pixels)
    glare_pm = 1000 * glares // pixels
    return Quality(total // pixels, contrast, glare_pm, sharpness_pm, face.eye_distance_px, yaw, pitch, faces)


def attitude(landmarks, turn) -> "tuple[int, int]":
    """(yaw, pitch) as Quality has them, of landmarks in 1/16 pixel that `turn` (image.similarity) makes upright."""
    a, b = turn[0], turn[1]
    (ax, ay), (bx, by), (x, y), (cx, cy), (dx, dy) = landmarks
    off_x, off_y = 4 * x - ax - bx - cx - dx, 4 * y - ay - by - cy - dy
    yaw = 25 * (off_x * a + off_y * b) * 4096 // (EYES * (a * a + b * b))
    nose = (2 * y - ay - by) * a - (2 * x - ax - bx) * b
    mouth = (cy + dy - ay - by) * a - (cx + dx - ax - bx) * b
    return yaw, min(max(100 * nose // mouth, -99), 199) if mouth > 0 else -99
