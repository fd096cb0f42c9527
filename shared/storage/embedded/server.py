"""Start and stop."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from shared.errors import Conflict, Unavailable
from shared.storage.embedded.cluster import Cluster, as_owner, binaries, last_words

START_TIMEOUT_S = 30.0
#: A fast stop writes a checkpoint; measured well below a second, but disks differ.
STOP_TIMEOUT_S = 30.0
#: sockaddr_un holds 107 characters; Postgres adds "/.s.PGSQL.5432" and a lock file beside it.
LONGEST_SOCKET_FOLDER = 80
LARGEST_LOG = 8 * 1024 * 1024

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",  # short statements: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
}
#: What Postgres says while a predecessor is still on its way out.
NOT_YET = ("already exists", "still in use", "is another postmaster")


class EmbeddedPostgres:
    """Start and stop the Postgres of one data folder: `with EmbeddedPostgres(folder) as url: ...`.

    Start it from a thread that lives as long as the server should: the kernel counts that thread as the parent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.cluster = Cluster(self.folder / "cluster")
        self.log = self.folder / "postgres.log"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, the same before and after a restart."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_folder), safe='')}"

    @property
    def pid(self) -> int | None:
        """Process id of the running server, None when it is not running."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> str:
        """Start the server (creating the cluster at the first time) and return its URL once it accepts connections.

        Raises Conflict when another supervisor holds the folder or the folder holds something else than a cluster
        of this version, Unavailable when Postgres cannot be started, with its own words.
        """
        if sys.platform != "linux":
            raise Unavailable("the embedded Postgres runs on Linux only: set DATABASE_URL to a Postgres server")
        if self.pid is not None:
            return self.url
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            uid, gid = self.cluster.owner()
            self._make_socket_folder(uid, gid)
            if not self.cluster.path.exists():
                self.cluster.create(uid, gid)
            self.cluster.check(uid)
            self.cluster.write_access_rules(uid, gid)
            self._launch(uid, gid)
        except OSError as error:
            self.stop()
            raise Unavailable(f"cannot start Postgres in {self.folder}: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server, cleanly if it lets itself be stopped, and give the folder free."""
        if self._process is not None:
            # fast stop; then as after a crash; then by force
            for step, patience in (
                (signal.SIGINT, STOP_TIMEOUT_S),
                (signal.SIGQUIT, 5.0),
                (signal.SIGKILL, 5.0),
            ):
                if self._process.poll() is None:
                    self._process.send_signal(step)
                try:
                    self._process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
            self._process = None
        if self._lock is not None:
            if self._socket_folder.parent != self.folder:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def _socket_folder(self) -> Path:
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        name = f"barsmith-{os.getuid()}-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]}"
        # folders in which nobody else can put something of that name first, else /tmp, whose answer is checked
        base = "/run" if os.getuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
        return Path(base if base and os.access(base, os.W_OK) else "/tmp") / name  # noqa: S108 - owner is checked

    def _take_lock(self) -> None:
        if self._lock is not None:  # a restart by the same supervisor
            return
        lock = os.open(self.folder / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode().strip() or "unknown"
            os.close(lock)
            raise Conflict(
                f"{self.folder} is in use by another supervisor (process {holder}): stop that one,"
                " or choose another data folder with BARSMITH_HOME"
            ) from None
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _make_socket_folder(self, uid: int, gid: int) -> None:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid not in (os.getuid(), uid):
            raise Conflict(f"{folder} was made by uid {found.st_uid}, not by this program: remove it")
        folder.chmod(0o700)
        os.chown(folder, uid, gid)

    def _launch(self, uid: int, gid: int) -> None:
        settings = {**SETTINGS, "unix_socket_directories": str(self._socket_folder)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(binaries() / "postgres"), "-D", str(self.cluster.path), *options]
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with self.log.open("ab") as log:
                began = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                    as_owner(uid, gid, self.cluster.path, command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the supervisor, which stops Postgres last
                )
            while self._process.poll() is None:
                if self._is_ready(self._process.pid):
                    return
                if time.monotonic() > deadline:
                    raise Unavailable(f"Postgres in {self.folder} is not ready after {START_TIMEOUT_S:g} s")
                time.sleep(0.005)
            said = self.log.read_bytes()[began:]
            if not any(words in said.decode(errors="replace") for words in NOT_YET) or time.monotonic() > deadline:
                raise Unavailable(f"Postgres in {self.folder} does not start: {last_words(said, self.folder)}")
            time.sleep(0.05)

    def _is_ready(self, pid: int) -> bool:
        # as pg_ctl does: the server writes its state into line 8 of its pid file
        try:
            lines = (self.cluster.path / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
