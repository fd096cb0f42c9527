"""Ports for a whole house in tests."""

import os

from barsmith.demo.background import free_offset


def house_offset() -> int:
    """Return an offset that no other test process takes, also while this one's house is down for a moment."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return free_offset(1_000 + 11_000 * number)
