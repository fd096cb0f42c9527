"""Where numba keeps machine code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path


def keep_compiled_code(home: Path) -> None:
    """Let numba keep machine code in the data folder, private to this user: whoever may write there runs code.

    Only before numba is imported; where somebody chose a folder already, theirs is kept. Without a writable folder
    each process compiles again (some seconds).
    """
    folder = home / "cache" / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        return
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))


def compile_ahead(home: Path, module: str) -> None:
    """Run `module`, which compiles, in a process of its own: later ones find the machine code. Nobody waits for it.

    It imports what is heavy, so that the caller need not; that it fails is only slower.
    """
    keep_compiled_code(home)
    command = [sys.executable, "-m", module]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    threading.Thread(target=subprocess.run, args=(command,), kwargs=quiet, name="compile ahead", daemon=True).start()
