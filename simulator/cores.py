"""A core for a watch and its world: in lockstep one process works at a time, and a switch is quicker than a wake-up."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

MARK = "\0muster-core-"


@contextmanager
def one_core() -> Iterator[None]:
    """This thread, and the processes that it starts, stay on a core that no other simulation has; on any where all are
    taken, or where the system cannot do it.

    A core is taken by a socket of Linux's abstract namespace, which goes with its process, however that ends.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    with socket.socket(socket.AF_UNIX) as mark:
        for core in sorted(cores, reverse=True) if len(cores) > 1 else ():
            try:
                mark.bind(f"{MARK}{core}")
            except OSError:
                continue
            os.sched_setaffinity(0, {core})
            break
        try:
            yield
        finally:
            if cores:
                os.sched_setaffinity(0, cores)
