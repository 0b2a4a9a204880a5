"""Finds the faces in a frame: one network says where they may be, a second one looks closely and has the last word.

The first takes a grey miniature of the frame and answers, for each cell of a grid, how much it takes itself for the
middle of a face, and that face's axis. The second takes the face, upright by that axis as the quality gate has it, and
answers its landmarks and whether it is a face at all.
"""

from . import image
from .face import Face, check_shapes, signed
from .quality import SIZE, TEMPLATE
from .tflite import Model, ModelError

GRID, CELL = 15, 8  # cells along each side of the first answer, the miniature's pixels along a cell
MINIATURE = GRID * CELL
REACH = 16  # pixels of the second answer's 1.0

_AXIS = 5  # values a cell: score, offset of the axis's middle from the cell's, half the axis, from eyes to mouth
_MOST = 3  # candidates that are looked at closely
_EYES = tuple([(TEMPLATE[0][axis] + TEMPLATE[1][axis]) // 2 for axis in (0, 1)])
_MOUTH = tuple([(TEMPLATE[3][axis] + TEMPLATE[4][axis]) // 2 for axis in (0, 1)])


class Finder:
    """Finds the face a frame shows best.

    `thresholds` are the int8 scores that a cell, and then a face, must exceed. Of the last frame: `brightness`, its
    mean grey (0..255), and `faces`, how many it shows, 3 at most.
    """

    def __init__(self, finder: Model, landmarks: Model, thresholds: "tuple[int, int]"):
        check_shapes(finder, (1, MINIATURE, MINIATURE, 1), (1, GRID, GRID, _AXIS))
        check_shapes(landmarks, (1, SIZE, SIZE, 1), (1, 11))
        for model in (finder, landmarks):
            if model.output_scale(0)[1] >= 0:
                raise ModelError("the finder's output scale is too large")
        self._finder = finder
        self._landmarks = landmarks
        self._least, self._least_face = thresholds
        self.brightness = self.faces = 0

    def find(self, frame, width: int, height: int) -> "Face | None":
        """The face in a frame of RGB565, or None; of several the first look's favourite. Raises image.FrameError."""
        grey = self._finder.input(0)
        cell, left, top = image.shrink(grey, frame, width, height, MINIATURE)
        self.brightness = image.mean(grey, MINIATURE, 0, 0, MINIATURE, MINIATURE)
        self._finder.invoke()
        found = None
        self.faces = 0
        for axis in self._candidates(self._finder.output(0)):
            ends = [(cell * x + 8 * (cell - 1) + 16 * left, cell * y + 8 * (cell - 1) + 16 * top) for x, y in axis]
            face = self._look_closely(frame, width, height, ends)
            if face:
                found = found or face
                self.faces += 1
        return found

    def _candidates(self, values: memoryview):
        """The best cells' axes, (eyes, mouth) in 1/16 pixel of the miniature, no two of one face, the best first."""
        scores = [signed(values[i * _AXIS]) for i in range(GRID * GRID)]
        cells = [(-scores[i], i) for i in range(GRID * GRID) if scores[i] > self._least]
        kept: "list[tuple]" = []
        for _, index in sorted(cells):
            axis = self._axis(values, index)
            if not any([_overlap(axis, other) for other in kept]):
                kept.append(axis)
                if len(kept) == _MOST:
                    break
        return kept

    def _axis(self, values: memoryview, index: int) -> "tuple[tuple[int, int], tuple[int, int]]":
        m, x, zero = self._finder.output_scale(0)
        at = index * _AXIS + 1
        # One cell is 128 of 1/16 pixel; its middle is half a pixel short of half of it.
        across, down, half_x, half_y = [((signed(v) - zero) * m * 128 + (1 << (-x - 1))) >> -x
                                        for v in values[at : at + 4]]
        across += index % GRID * 128 + 56
        down += index // GRID * 128 + 56
        return (across - half_x, down - half_y), (across + half_x, down + half_y)

    def _look_closely(self, frame, width: int, height: int, ends) -> "Face | None":
        """The face whose eyes and mouth are at `ends`, in 1/16 pixel of the frame; None where there is none."""
        try:
            turn = image.similarity(ends, (_EYES, _MOUTH))
            image.crop(self._landmarks.input(0), frame, width, height, turn, SIZE)
        except image.FrameError:  # no face has an axis like this
            return None
        self._landmarks.invoke()
        values = self._landmarks.output(0)
        score = signed(values[0])
        if score <= self._least_face:
            return None
        m, x, zero = self._landmarks.output_scale(0)
        off = [((signed(v) - zero) * m * (REACH * 1024) + (1 << (-x - 1))) >> -x for v in values[1:11]]
        a, b, x0, y0 = turn
        landmarks = []
        for k in range(5):
            u, v = TEMPLATE[k][0] + off[2 * k], TEMPLATE[k][1] + off[2 * k + 1]
            landmarks.append((((a * u - b * v >> 10) + x0 + 2048) >> 12, ((b * u + a * v >> 10) + y0 + 2048) >> 12))
        return Face(score, landmarks)


def _overlap(one, other) -> bool:
    """Whether two axes' middles are closer than the shorter axis is long, by its square."""
    x, y = [one[0][i] + one[1][i] - other[0][i] - other[1][i] for i in (0, 1)]
    return x * x + y * y < 4 * min(_square(one), _square(other))


def _square(axis) -> int:
    (ax, ay), (bx, by) = axis
    return (ax - bx) ** 2 + (ay - by) ** 2
