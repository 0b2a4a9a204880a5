"""Pictures that a watch sends as text: from RGB565 to RGB, to a PNG, or to a terminal."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tools.port import BoardError
from tools.session import Block

PIXELS = 1 << 20  # of the largest picture that is believed
COLUMNS = 60


def rgb(block: Block) -> np.ndarray:
    """uint8 [height, width, 3]. `about` is the width and the form: `rgb565`, high byte first, or `runs` of it, each a
    length and two bytes. Raises BoardError."""
    try:
        width_text, form = block.about.split()
        width = int(width_text)
        data = np.frombuffer(block.data, np.uint8)
        if form == "runs":
            triples = data.reshape(-1, 3)
            if int(triples[:, 0].sum()) > PIXELS:
                raise ValueError
            data = np.repeat(triples[:, 1:], triples[:, 0], axis=0).reshape(-1)
        elif form != "rgb565":
            raise ValueError
        value = data.copy().view(">u2").reshape(-1, width).astype(np.uint16)
        if not 0 < value.size <= PIXELS:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise BoardError(f"{block.name}: no picture: {block.about}, {len(block.data)} bytes") from None
    return np.stack([(value >> 11) * 255 // 31, (value >> 5 & 63) * 255 // 63, (value & 31) * 255 // 31],
                    axis=-1).astype(np.uint8)


def save(picture: np.ndarray, path: Path) -> None:
    """As PNG. Raises OSError."""
    path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def text(picture: np.ndarray, columns: int = COLUMNS) -> str:
    """For a terminal of 24-bit colours: a half block a character shows two pixels, one above the other."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (columns, max(2, columns * height // width // 2 * 2)), interpolation=cv2.INTER_AREA)
    return "\n".join("".join("\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m▀".format(*upper, *lower)
                             for upper, lower in zip(*rows, strict=True)) + "\x1b[0m"
                     for rows in zip(small[::2].tolist(), small[1::2].tolist(), strict=True))
