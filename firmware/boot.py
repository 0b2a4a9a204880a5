"""Runs before main.py: ends the update that tools/flash.py has committed, however often the power failed meanwhile."""

import os

_FOLDER = "update"
_COMMIT = _FOLDER + "/commit"  # a line a step: the staged file's name, or - to delete, and the path


def finish():
    """Put the staged files in their places; done again after a power cut, it changes nothing that is done."""
    try:
        with open(_COMMIT) as file:
            steps = [line.split(" ", 1) for line in file.read().split("\n") if line]
    except OSError:
        return
    for staged, path in steps:
        folders = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if staged == "-":
            _try(os.remove, path)
            for folder in reversed(folders):  # an empty one would hide a module of its name
                _try(os.rmdir, folder)
        else:
            for folder in folders:
                _try(os.mkdir, folder)
            _try(os.rename, _FOLDER + "/" + staged, path)
    os.remove(_COMMIT)
    for name in os.listdir(_FOLDER):
        os.remove(_FOLDER + "/" + name)
    os.rmdir(_FOLDER)


def _try(act, *paths):
    try:
        act(*paths)
    except OSError:  # it was done before the power failed
        pass


finish()
