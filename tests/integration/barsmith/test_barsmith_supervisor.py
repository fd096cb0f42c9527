"""The supervisor with real child processes: order, prefixes, restarts, giving up, leaving nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from barsmith.children import ChildSpec
from barsmith.supervisor import MAX_DEATHS, Supervisor
from shared.errors import Unavailable
from shared.testing.waiting import eventually

TALKS = "import time; print('hello', flush=True); time.sleep(60)"
DIES = "print('no use', flush=True); raise SystemExit(3)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
HAS_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""
ORDERLY = r"""
import os, signal, sys, time
def leave(*_):
    os.write(1, b"leaving\n")  # not print: the signal may come inside one
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(60)
"""


def spec(name, code):
    return ChildSpec(name=name, argv=(sys.executable, "-c", code), environment=dict(os.environ))


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ticking(supervisor, predicate, what):
    def look():
        supervisor.tick()
        return predicate()

    return eventually(look, timeout=20, what=what)


@pytest.fixture
def said():
    return []


def test_lines_carry_the_name_of_the_child_and_stop_ends_it(said):
    with Supervisor([[spec("talker", TALKS)]], lambda *line: said.append(line)) as supervisor:
        ticking(supervisor, lambda: ("talker", "hello") in said, "the child's line")
        (pid,) = supervisor.pids.values()
    assert not alive(pid)


def test_later_groups_are_stopped_first(said):
    groups = [[spec("first", ORDERLY)], [spec("second", ORDERLY)]]
    with Supervisor(groups, lambda *line: said.append(line)) as supervisor:
        ticking(supervisor, lambda: {("first", "up"), ("second", "up")} <= set(said), "both up")
    assert [name for name, line in said if line == "leaving"] == ["second", "first"]


def test_what_dies_is_started_again(said):
    with Supervisor([[spec("talker", TALKS)]], lambda *line: said.append(line)) as supervisor:
        ticking(supervisor, lambda: ("talker", "hello") in said, "the first start")
        first = supervisor.pids["talker"]
        os.kill(first, signal.SIGKILL)
        ticking(supervisor, lambda: said.count(("talker", "hello")) == 2, "the second start")
        assert supervisor.pids["talker"] != first
    assert any("was killed by signal 9" in line and "starting it again" in line for _, line in said)


def test_what_dies_again_and_again_is_given_up_loudly(said, monkeypatch):
    monkeypatch.setattr("barsmith.supervisor._MAX_DELAY", 0.01)

    def keep(supervisor):
        for _ in range(200):
            supervisor.tick()

    with (
        Supervisor([[spec("broken", DIES)]], lambda *line: said.append(line)) as supervisor,
        pytest.raises(Unavailable, match=f"broken ended with code 3 {MAX_DEATHS} times in a row: giving up"),
    ):
        keep(supervisor)
    assert said.count(("broken", "no use")) == MAX_DEATHS


def test_a_deaf_child_is_killed_and_so_is_what_it_started(said):
    supervisor = Supervisor(
        [[spec("deaf", DEAF), spec("parent", HAS_CHILD)]], lambda *line: said.append(line)
    ).__enter__()
    grandchild = ticking(
        supervisor, lambda: [line.split()[1] for name, line in said if name == "parent"], "the grandchild"
    )
    ticking(supervisor, lambda: ("deaf", "deaf") in said, "the deaf one")
    started = time.monotonic()
    supervisor.stop(patience=0.3)
    assert time.monotonic() - started < 5
    assert ("deaf", "did not stop within 0.3 s: killed") in said
    eventually(lambda: not alive(int(grandchild[0])), what="the grandchild is gone")


def test_children_die_with_a_killed_supervisor():
    code = textwrap.dedent(
        """
        import os, sys
        from barsmith.children import ChildSpec
        from barsmith.supervisor import Supervisor
        child = ChildSpec(name="c", argv=(sys.executable, "-c", "import time; time.sleep(60)"), environment=os.environ)
        with Supervisor([[child]], print) as supervisor:
            print(supervisor.pids["c"], flush=True)
            while True:
                supervisor.tick()
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
        process.wait()
    eventually(lambda: not alive(pid), what="the child is gone")


def test_a_stranger_on_the_port_is_not_taken_for_the_child(said):
    """Two stacks may race for a port: the one that lost it must not send its work to the other."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ready", "pid": 1}')

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        talker = replace(spec("talker", TALKS), ready_url=f"http://127.0.0.1:{server.server_port}/readyz")
        with (
            Supervisor([[talker]], lambda *line: said.append(line)) as supervisor,
            pytest.raises(Unavailable, match="not ready within 1 s: talker"),
        ):
            supervisor.wait_ready(1.0)
        server.shutdown()
