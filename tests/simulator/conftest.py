"""Fixtures of the simulator's tests."""

import pytest


@pytest.fixture(params=[64, 32], ids=["64-bit", "32-bit"])
def boot(request, boot_watch):
    """Boots a main.py on the VM of either word size."""
    return lambda main, **settings: boot_watch({"main.py": main}, bits=request.param, **settings)
