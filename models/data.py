"""Reads the face files of the data folder (--data, else ../shared/data); every array of pictures is RGB uint8, NHWC."""

import io
import sys
import tarfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent
REPOSITORY = ROOT.parent
CACHE = REPOSITORY / "build" / "train"

# The 112x112 alignment of the data's README, as landmarks of the 64x64 input: image-left eye, image-right eye, nose,
# image-left and image-right mouth corner, in pixels (x, y).
TEMPLATE112 = np.float32([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])


HELD_OUT = 1000  # the last pictures of each training file shape no weights: logs and the finder's figures use them


class DataError(Exception):
    """A file of the data set is absent or not what it should be; the message says which and why."""


folder = REPOSITORY.parent / "shared" / "data"


def read_options(parser):
    """The command line's options; sets the data folder to --data."""
    global folder
    parser.add_argument("--data", type=Path, default=folder, help="folder of faces/ and models/ (%(default)s)")
    options = parser.parse_args()
    folder = options.data
    return options


def data_dir():
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data names the one that holds faces/ and models/")
    return folder


def data_file(name):
    path = data_dir() / name
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return path


def run(main):
    """Runs a script's `main`, turning its expected errors into one line and exit status 2."""
    try:
        sys.exit(main())
    except (DataError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def decode(encoded):
    import cv2

    return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def read_faces(name):
    """(pictures [n, h, w, 3], labels: every other per-picture array) of faces/<name>.npz.

    The decoded pictures are kept in build/train, for decoding takes longer than reading a gigabyte.
    """
    with np.load(data_file(f"faces/{name}.npz"), allow_pickle=True) as archive:
        offsets = archive["off"]
        labels = {k: archive[k] for k in archive.files if k not in ("blob", "off")}
        cached = CACHE / f"{name}.npy"
        if not cached.is_file():
            blob = archive["blob"]
            pictures = np.stack([decode(blob[a:b]) for a, b in zip(offsets, offsets[1:], strict=False)])
            cached.parent.mkdir(parents=True, exist_ok=True)
            np.save(cached, pictures)
    return np.load(cached, mmap_mode="r"), labels


def open_context():
    """(encoded pictures, YuNet's landmarks [n, 5, 2] in their pixels) of fairface_context224."""
    with np.load(data_file("faces/fairface_context224.npz"), allow_pickle=True) as archive:
        blob, offsets = archive["blob"], archive["off"]
        return [blob[a:b] for a, b in zip(offsets, offsets[1:], strict=False)], archive["landmarks"]


def read_context():
    """Grey pictures [n, 224, 224] of fairface_context224, decoded once."""
    data_dir()
    cached = CACHE / "context224.npy"
    if not cached.is_file():
        import cv2

        grey = np.stack([cv2.imdecode(one, cv2.IMREAD_GRAYSCALE) for one in open_context()[0]])
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.save(cached, grey)
    return np.load(cached, mmap_mode="r")


def read_lfw():
    """(pictures {name: [112, 112, 3]}, pairs: records img_a, img_b, same, fold) of LFW's View 2. Evaluation only."""
    pictures, pairs = {}, []
    with tarfile.open(data_file("faces/lfw112.tar")) as archive:
        for member in archive:
            if member.name.endswith("pairs.csv"):
                pairs = archive.extractfile(member).read().decode()
            elif member.isfile() and not member.name.endswith(".csv"):
                pictures[Path(member.name).name] = decode(archive.extractfile(member).read())
    return pictures, np.genfromtxt(io.StringIO(pairs), delimiter=",", dtype=None, encoding="utf-8", names=True)
