"""Checks of the machine: interpreter, packages, data folder, ports, browser. None changes anything that stays."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from barsmith import folder, procfs, stack
from barsmith.doctor.finding import Finding, fail, ok, warn
from barsmith.environment import EXCHANGE, addresses, exchange_address

_ROOT = Path(__file__).parents[2]
_ENOUGH_BYTES, _TOO_FEW_BYTES = 5 * 2**30, 2**29


def check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform != "linux" and not os.environ.get("DATABASE_URL"):
        return fail("python", f"{version} on {sys.platform}", "the embedded database needs Linux: set DATABASE_URL")
    return ok("python", version)


def check_dependencies() -> Finding:
    """Compare what is installed with the lock file of the checkout."""
    lock = _ROOT / "requirements.txt"
    if not lock.exists():
        return warn("dependencies", "no lock file beside the code", "run from a checkout to compare versions")
    wrong = list(_deviations(lock.read_text(encoding="utf-8")))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return fail("dependencies", "; ".join(wrong[:3]) + more, "make setup")
    return ok("dependencies", "as in requirements.txt")


def _deviations(lock: str) -> Iterator[str]:
    for name, wanted, marker in re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==(\S+)(?: ; (.*?))? \\$", lock, re.MULTILINE
    ):
        if marker:
            continue  # for another platform, or ours: not decided here
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is missing"
            continue
        if found != wanted:
            yield f"{name} is {found}, locked {wanted}"


def _nearest(home: Path) -> Path:
    """Return the folder, or the nearest one above it that can be seen; one behind a closed folder cannot."""
    return next(path for path in (home, *home.parents) if os.path.exists(path))  # noqa: PTH110 - Path.exists raises there


def check_folder(home: Path) -> Finding:
    """Try to write into the data folder, or into the folder that it will be made in."""
    existing = _nearest(home)
    if not existing.is_dir():
        return fail("data folder", f"{existing} is a file", "name another folder with --home")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return fail("data folder", f"{existing}: {error.strerror}", f"make {existing} writable, or name another --home")
    return ok("data folder", str(home) if home.exists() else f"{home} (will be made)")


def check_folder_reach(home: Path) -> Finding:
    """Look at the folders above: as root the embedded server runs as another user, which must be able to enter."""
    check = "database's folder"
    if os.environ.get("DATABASE_URL"):
        return ok(check, "not used: DATABASE_URL is set")
    if os.getuid() != 0:
        return ok(check, "same user")
    closed = [path for path in home.parents if path.exists() and not path.stat().st_mode & 0o001]
    if closed:
        return warn(
            check,
            f"{closed[-1]} is closed to other users",
            "works where the kernel lets root keep one right for it; if `up` fails, choose a --home elsewhere",
        )
    return ok(check, "can be entered by the database's user")


def check_disk(home: Path) -> Finding:
    existing = _nearest(home)
    free = shutil.disk_usage(existing).free
    seen = f"{free / 2**30:.1f} GiB free"
    if free < _TOO_FEW_BYTES:
        return fail("disk", seen, "make room: a write that finds no space stops the database")
    if free < _ENOUGH_BYTES:
        return warn("disk", seen, "a year of minutes with features takes about 0.1 GiB a symbol")
    return ok("disk", seen)


def check_ports(home: Path, port_offset: int) -> list[Finding]:
    """Return for each port whether it is free, or held by the stack that runs on this folder."""
    running = folder.running_stack(home) or {}
    ours = set(procfs.family(running["pid"])) if "pid" in running else set()
    port_offset = running.get("port_offset", port_offset)
    urls = running.get("urls") or addresses(port_offset)
    wanted = {**urls, **({EXCHANGE: exchange_address(port_offset)} if stack.wants_exchange(port_offset) else {})}
    findings = []
    for name, url in wanted.items():
        port = urlsplit(url).port or 80
        holder = None if stack.is_free(port) else procfs.listener(port) or "another process"
        if holder is None:
            findings.append(ok(f"port {port}", f"free ({name})"))
        elif (found := re.match(r"process (\d+)", holder)) and int(found[1]) in ours:
            findings.append(ok(f"port {port}", f"ours ({name})"))
        else:
            findings.append(fail(f"port {port}", f"{name} cannot have it: {holder}", "stop it, or use --port-offset"))
    return findings


def check_browser() -> Finding:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return ok("chromium", path)
    return warn("chromium", "not installed", "only the browser tests need it: apt-get install chromium")
