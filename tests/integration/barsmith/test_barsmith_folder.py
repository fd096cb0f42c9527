"""The home folder and /proc, for real."""

import os
import socket
import stat
import subprocess
import sys

import pytest

from barsmith import folder, procfs, stack
from barsmith.demo.background import free_offset, fresh_folder
from shared.errors import Conflict


def test_a_second_supervisor_is_refused_and_told_who_holds(tmp_path):
    with (
        folder.held(tmp_path),
        pytest.raises(Conflict, match=rf"process {os.getpid()}\) already runs on {tmp_path}.*another --home"),
        folder.held(tmp_path),
    ):
        pass
    with folder.held(tmp_path):
        assert folder.is_held(tmp_path)
    assert not folder.is_held(tmp_path)


def test_a_killed_holder_leaves_the_folder_free_and_no_stack(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from barsmith import folder\n"
        "with folder.held(Path(sys.argv[1])):\n"
        "    folder.describe_stack(Path(sys.argv[1]), urls={'training': 'http://x'})\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert folder.running_stack(tmp_path) == {"urls": {"training": "http://x"}}
        holder.kill()
    assert folder.running_stack(tmp_path) is None
    with folder.held(tmp_path):
        # the dead stack's note must not be taken for the new one's
        assert folder.running_stack(tmp_path) is None


def test_the_token_is_drawn_once_and_private(tmp_path):
    token = folder.worker_token(tmp_path)
    assert len(token) > 30
    assert folder.worker_token(tmp_path) == token
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_taken_port_is_named_with_its_holder_and_a_remedy():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not stack.is_free(port)
        assert procfs.listener(port).startswith(f"process {os.getpid()} (")
        environ = {"BARSMITH_TRAINING_URL": f"http://127.0.0.1:{port}"}
        with pytest.raises(Conflict, match=rf"port {port} \(training\) is taken by process .*--port-offset"):
            stack.check_ports(free_offset(), environ)
    assert procfs.listener(port) is None


def test_a_family_is_counted_with_its_memory():
    with subprocess.Popen([sys.executable, "-c", "import time; print('on', flush=True); time.sleep(60)"],
                          stdout=subprocess.PIPE) as child:  # fmt: skip
        child.stdout.readline()
        members = procfs.family(os.getpid())
        assert {os.getpid(), child.pid} <= set(members)
        assert procfs.memory_bytes([child.pid]) > 1_000_000
        child.kill()
    assert procfs.memory_bytes([child.pid]) == 0


def test_only_a_data_folder_is_emptied(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(Conflict, match="left alone"):
        fresh_folder(precious)
    assert (precious / "thesis.txt").exists()
    # stopped in its first second, before the token was drawn
    early = tmp_path / "early"
    with folder.held(early):
        (early / "up.log").write_text("")
    fresh_folder(early)
    assert not early.exists()
    used = tmp_path / "used"
    with folder.held(used):
        folder.worker_token(used)
        with pytest.raises(Conflict, match="still runs"):
            fresh_folder(used)
    fresh_folder(used)
    assert not used.exists()
    fresh_folder(used)
