"""Keeps child processes running: starts them in order, passes their log lines on, restarts what dies, stops all.

One thread: it waits on the children's pipes, and looks at who died, who is due again and who is ready in between.
"""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.error import URLError
from urllib.request import urlopen

from barsmith import children
from barsmith.children import ChildSpec
from shared.errors import Unavailable

#: deaths in a row, each within CALM_SECONDS of its start, after which a child is given up
MAX_DEATHS = 5
CALM_SECONDS = 30.0
_FIRST_DELAY, _MAX_DELAY = 0.5, 8.0
_TICK = 0.2


@dataclass
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes]
    started: float
    ready: bool = False
    deaths: int = 0
    due: float | None = None
    unfinished: bytes = field(default=b"", repr=False)


class Supervisor:
    """Runs groups of children; a later group is stopped before an earlier one.

    `say` receives (name, line) of every log line of the children and of the supervisor itself; `also` is called at
    every tick, for what else must be kept running.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[ChildSpec]],
        say: Callable[[str, str], None],
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self._groups = groups
        self._say = say
        self._also = also
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Supervisor:
        try:
            for spec in (spec for group in self._groups for spec in group):
                self._launch(spec, deaths=0)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items() if child.due is None}

    def wait_ready(self, timeout: float) -> None:
        """Return once every child with a `ready_url` answers 200 on it, and says it is that child.

        Raises Unavailable naming those that did not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while waiting := [c for c in self._children.values() if c.spec.ready_url and not c.ready]:
            if time.monotonic() > deadline:
                names = ", ".join(child.spec.name for child in waiting)
                raise Unavailable(f"not ready within {timeout:.0f} s: {names}; their log lines above say why")
            self.tick()
            for child in waiting:
                child.ready = child.due is None and _answers(child.spec.ready_url or "", child.process.pid)

    def tick(self) -> None:
        """Pass on log lines for a moment, then restart what died and is due.

        Raises Unavailable when a child died MAX_DEATHS times in a row.
        """
        for key, _ in self._selector.select(_TICK):
            self._relay(key.data)
        self._also()
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.due is None and child.process.poll() is not None:
                self._mourn(child, now)
            elif child.due is not None and child.due <= now:
                self._launch(child.spec, deaths=child.deaths)

    def stop(self, patience: float = 10.0) -> None:
        """End all children, the last group first; what does not go within `patience` seconds is killed."""
        for group in reversed(self._groups):
            members = [self._children[spec.name] for spec in group if spec.name in self._children]
            for child in members:
                children.end(child.process, signal.SIGTERM)
            deadline = time.monotonic() + patience
            while any(c.process.poll() is None for c in members) and time.monotonic() < deadline:
                for key, _ in self._selector.select(0.05):
                    self._relay(key.data)
            for child in members:
                if child.process.poll() is None:
                    self._say(child.spec.name, f"did not stop within {patience:g} s: killed")
                # also when it went by itself: nothing of its session may stay
                children.end(child.process, signal.SIGKILL)
                child.process.wait()
                self._relay(child)  # its last words
                self._forget_pipe(child)
        self._children.clear()

    def _launch(self, spec: ChildSpec, *, deaths: int) -> None:
        process = children.start(spec)
        child = _Child(spec=spec, process=process, started=time.monotonic(), deaths=deaths)
        self._children[spec.name] = child
        if process.stdout is not None:
            self._selector.register(process.stdout, selectors.EVENT_READ, child)

    def _mourn(self, child: _Child, now: float) -> None:
        self._relay(child)
        self._forget_pipe(child)
        children.end(child.process, signal.SIGKILL)
        lived = now - child.started
        child.deaths = 1 if lived > CALM_SECONDS else child.deaths + 1
        how = _how_it_ended(child.process.returncode)
        if child.deaths >= MAX_DEATHS:
            raise Unavailable(
                f"{child.spec.name} {how} {child.deaths} times in a row: giving up; its log lines above say why"
            )
        delay = min(_FIRST_DELAY * 2 ** (child.deaths - 1), _MAX_DELAY)
        child.due, child.ready = now + delay, False
        self._say(child.spec.name, f"{how} after {lived:.1f} s: starting it again in {delay:.1f} s")

    def _relay(self, child: _Child) -> None:
        """Pass on whole lines; at the pipe's end, also the rest."""
        pipe = child.process.stdout
        if pipe is None or pipe.closed:
            return
        chunk = pipe.read(65536)
        if chunk is None:  # nothing to read now: a grandchild may still hold the other end
            return
        if not chunk:
            self._forget_pipe(child)
            return
        *lines, child.unfinished = (child.unfinished + chunk).split(b"\n")
        for line in lines:
            self._say(child.spec.name, line.decode(errors="replace"))

    def _forget_pipe(self, child: _Child) -> None:
        pipe = child.process.stdout
        if pipe is not None and not pipe.closed:
            self._selector.unregister(pipe)
            pipe.close()
        if child.unfinished:
            self._say(child.spec.name, child.unfinished.decode(errors="replace"))
            child.unfinished = b""


def _how_it_ended(returncode: int) -> str:
    return f"was killed by signal {-returncode}" if returncode < 0 else f"ended with code {returncode}"


def _answers(url: str, pid: int) -> bool:
    """Tell whether this very child answers 200: somebody else's server may have taken its port meanwhile."""
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - our own http address
            return response.status == 200 and json.load(response).get("pid") == pid
    except (URLError, OSError, ValueError):
        return False
