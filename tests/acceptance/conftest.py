"""One running stack for the tests that need a whole house."""

import os
import signal

import pytest
from running_house import running_house


@pytest.fixture(scope="package")
def house(tmp_path_factory):
    """One stack for all acceptance tests that do not harm it, and gone when other tests follow."""
    with running_house(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def kill():
    return lambda pid: os.kill(pid, signal.SIGKILL)
