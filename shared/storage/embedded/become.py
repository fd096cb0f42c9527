"""Become the user that Postgres runs as, tie its life to the supervisor's, and turn into it.

Run as a script in a process of its own (`python -I -S become.py <json>`), so none of this happens in a copy
of a threaded parent. Steps, in an order that matters:

1. drop root: Postgres refuses to run as root;
2. where that user cannot reach a folder it needs (a data folder or environment under /root), keep the one capability
   that lets it pass closed folders, rather than open those folders to everybody;
3. ask the kernel to signal this process when the parent dies (last: changing the user clears it);
4. leave if the parent died before step 3, else become the command.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2  # linux/prctl.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2  # linux/capability.h
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Do the four steps of the module's docstring, or leave with a sentence on stderr."""
    plan = json.loads(sys.argv[1])
    try:
        if os.getuid() != plan["uid"]:
            _drop_root(plan["uid"], plan["gid"])
            if not all(os.access(path, os.X_OK) for path in plan["needs"]):
                _keep_folder_access(plan["needs"])
        _prctl(PR_SET_PDEATHSIG, plan["signal"])
        if os.getppid() != plan["parent"]:
            sys.exit("the supervisor is gone")
        os.execv(plan["command"][0], plan["command"])  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.exit(f"cannot run {plan['command'][0]} as uid {plan['uid']}: {error}")


def _drop_root(uid: int, gid: int) -> None:
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _keep_folder_access(paths: list[str]) -> None:
    # reading and searching is enough, but containers commonly keep only the wider one
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        try:
            _raise_ambient(capability)
        except OSError:
            continue
        return
    closed = next(path for path in paths if not os.access(path, os.X_OK))
    raise PermissionError(
        f"{closed} lies in a folder that only root may enter; put it elsewhere (data folder: BARSMITH_HOME)"
    )


def _raise_ambient(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # effective, permitted, inheritable; then the same for capabilities 32 and up
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, first: int, second: int = 0) -> None:
    if _libc.prctl(option, *(ctypes.c_ulong(value) for value in (first, second, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    main()
