"""The networks of a check-in: models/networks.json says which, and from which score on a face matches."""

import json
import os

from muster.vision import face, finder, quality, tflite

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
            looking = [values[name] for name in ("finder", "landmarks")]
            self._finder = [folder + one["file"] for one in looking]
            self._finder_thresholds = [one["score_threshold"] for one in looking]
        except (ValueError, TypeError):
            raise NetworksError("networks.json: not as models/evaluate.py writes it")
        except KeyError as error:
            raise NetworksError("networks.json: %s: missing" % error.args[0])

    def load(self):
        """The networks in memory, ready for frames; dropped after the check-in. Raises ModelError, OSError."""
        return Recogniser(finder.Finder(*[tflite.load(path) for path in self._finder], self._finder_thresholds),
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
