"""The two networks of a check-in: models/networks.json says which, and from which score on a face matches."""

import json
import os

from muster.vision import face, quality, tflite

_FOLDERS = ("/rom/models/", "models/")  # in ROMFS where the image has it
_NAME = "networks.json"


class NetworksError(Exception):
    """One line: the file, the field and the reason."""


class Networks:
    """threshold_e4 (cosine * 10,000), model_hash (first 8 bytes of the embedder's SHA-256)."""

    def __init__(self):
        folder = _folder()
        try:
            with open(folder + _NAME) as file:
                values = json.load(file)
            self._embedder = folder + values["embedder"]["file"]
            self.model_hash = bytes.fromhex(values["embedder"]["sha256"])[:8]
            self.threshold_e4 = 10 * values["embedder"]["threshold_milli"]
            self._finder = folder + values["finder"]["file"]
            self._finder_threshold = values["finder"]["score_threshold"]
        except (ValueError, TypeError):
            raise NetworksError("networks.json: not as models/evaluate.py writes it")
        except KeyError as error:
            raise NetworksError("networks.json: %s: missing" % error.args[0])

    def load(self):
        """Both networks in memory, ready for frames; dropped after the check-in. Raises ModelError, OSError."""
        return Recogniser(face.Finder(tflite.load(self._finder), self._finder_threshold),
                          face.Embedder(tflite.load(self._embedder)))


def _folder():
    """Where networks.json is."""
    for folder in _FOLDERS:
        try:
            os.stat(folder + _NAME)
            return folder
        except OSError:
            pass
    raise NetworksError("networks.json: missing")


class Recogniser:
    """What checkin.py needs of the networks."""

    match = staticmethod(face.match)
    template = staticmethod(face.template)
    portrait = staticmethod(face.portrait)

    def __init__(self, finder, embedder):
        self._finder = finder
        self.embed = embedder.embed

    def look(self, frame, width: int, height: int):
        """(the face that a frame shows best or None, the frame's quality). Raises FrameError."""
        face = self._finder.find(frame, width, height)
        if face is None:
            return None, quality.Quality(self._finder.brightness)
        return face, quality.measure(frame, width, height, face, self._finder.faces)
