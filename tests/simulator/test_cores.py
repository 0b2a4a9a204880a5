"""Simulations that run at once have a core each."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator import cores

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
                                reason="needs Linux and two cores")


def test_each_has_a_core_of_its_own_while_there_is_one_and_all_cores_after_it(monkeypatch):
    monkeypatch.setattr(cores, "MARK", f"\0test-{os.getpid()}-")
    all_cores = os.sched_getaffinity(0)

    def have(count: int) -> list[set[int]]:
        """The cores of so many at once, the first's first; each in a thread, which has an affinity of its own."""
        os.sched_setaffinity(0, all_cores)
        with cores.one_core():
            mine = os.sched_getaffinity(0)
            with ThreadPoolExecutor(1) as pool:
                others = pool.submit(have, count - 1).result() if count > 1 else []
        assert os.sched_getaffinity(0) == all_cores
        return [mine, *others]

    *alone, late = have(len(all_cores) + 1)
    assert sorted(map(sorted, alone)) == [[core] for core in sorted(all_cores)]
    assert late == all_cores
