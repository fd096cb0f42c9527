"""Where numba keeps machine code."""

from __future__ import annotations

import os
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
