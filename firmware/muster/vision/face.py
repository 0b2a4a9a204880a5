"""Brings a face upright, embeds it and compares embeddings: one wearer against one template."""

from . import image
from .tflite import Model, ModelError

FACE = 64  # pixels along the embedder's input
EMBEDDING = 256

# Where the landmarks lie in an upright face of 112x112, in 1/100 pixel: what faces are commonly aligned to.
TEMPLATE_112 = ((3829, 5170), (7353, 5150), (5603, 7174), (4155, 9237), (7073, 9220))
CORNER, SHOWN = (383, 476), 10520  # the part of it that the embedder sees, as its teacher did
TEMPLATE = tuple([
    tuple([(point[axis] - CORNER[axis]) * FACE * 1024 // SHOWN for axis in (0, 1)])  # 1/1024 pixel
    for point in TEMPLATE_112])


class EmbeddingError(Exception):
    """Embeddings that cannot be compared or averaged: of the wrong length, nought, or none."""


class Face:
    """A face in a frame: its int8 score, `landmarks` in 1/16 pixel of the frame: (x, y) of five points.

    The eye to the left in the image, the other eye, the nose tip, the mouth corner to the left, the other one.
    """

    def __init__(self, score: int, landmarks: "list[tuple[int, int]]"):
        self.score = score
        self.landmarks = landmarks

    @property
    def eye_distance_px(self) -> int:
        (ax, ay), (bx, by) = self.landmarks[:2]
        return (isqrt((ax - bx) ** 2 + (ay - by) ** 2) + 8) // 16


class Embedder:
    def __init__(self, model: Model):
        check_shapes(model, (1, FACE, FACE, 3), (1, EMBEDDING))
        if model.output_scale(0)[2] != 0:
            raise ModelError("the embedder's output has a zero point of {}, not 0".format(model.output_scale(0)[2]))
        self._model = model

    def embed(self, frame, width: int, height: int, face: Face) -> bytes:
        """The face's embedding: int8[256], of any length as a vector. Raises image.FrameError."""
        turn = image.similarity(face.landmarks, TEMPLATE)
        image.crop(self._model.input(0), frame, width, height, turn, FACE)
        self._model.invoke()
        return bytes(self._model.output(0))


def portrait(frame, width: int, height: int, face: Face) -> bytearray:
    """What the embedder sees of a face, for the screen: RGB565, high byte first, [FACE, FACE]. Raises FrameError."""
    rgb = bytearray(3 * FACE * FACE)
    image.crop(rgb, frame, width, height, image.similarity(face.landmarks, TEMPLATE), FACE)
    return image.rgb565(rgb)


def match(a: bytes, b: bytes) -> int:
    """Cosine of two embeddings times 10,000, rounded; 0 where one of them is nought. Raises EmbeddingError."""
    if len(a) != EMBEDDING or len(b) != EMBEDDING:
        raise EmbeddingError("embeddings of {} and {} numbers, not {}".format(len(a), len(b), EMBEDDING))
    dot, aa, bb = 0, 0, 0
    for i in range(EMBEDDING):
        x, y = signed(a[i]), signed(b[i])
        dot += x * y
        aa += x * x
        bb += y * y
    if aa == 0 or bb == 0:
        return 0
    score = (isqrt(4 * 100000000 * dot * dot // (aa * bb)) + 1) // 2
    return score if dot >= 0 else -score


def template(embeddings: "list[bytes]") -> bytes:
    """int8[256]: the mean of the embeddings' unit vectors, as long as int8 allows. Raises EmbeddingError."""
    total = [0] * EMBEDDING
    for one in embeddings:
        if len(one) != EMBEDDING:
            raise EmbeddingError("an embedding of {} numbers, not {}".format(len(one), EMBEDDING))
        values = [signed(v) for v in one]
        length = isqrt(sum([v * v for v in values]) << 20)
        if length == 0:
            raise EmbeddingError("an embedding is nought")
        for i in range(EMBEDDING):
            total[i] += ((values[i] << 26) // length + 1) >> 1
    largest = max([abs(v) for v in total]) if embeddings else 0
    if largest == 0:
        raise EmbeddingError("no embeddings, or they cancel out")
    return bytes([((v * 254 + largest) // (2 * largest)) & 255 for v in total])


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def isqrt(n: int) -> int:
    """The integer part of the square root of n >= 0."""
    if n == 0:
        return 0
    x = 1 << ((len(bin(n)) - 1) // 2)  # at least the root
    while True:
        y = (x + n // x) >> 1
        if y >= x:
            return x
        x = y


def check_shapes(model: Model, taken: "tuple[int, ...]", given: "tuple[int, ...]"):
    if model.input_shape(0) != taken or model.output_shape(0) != given:
        raise ModelError(
            "the network takes {} and gives {}, not {} and {}".format(
                model.input_shape(0), model.output_shape(0), taken, given
            )
        )
