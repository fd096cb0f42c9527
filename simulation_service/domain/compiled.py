"""How the walks are compiled, and the two instructions that plain numba does not offer."""

# numba reads types off the arguments at the first call, and has no useful types of its own
# ruff: noqa: ANN001, ANN202, ARG001
# pyright: basic

from __future__ import annotations

from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when any source beside this one does."""
    found = ((path.name, path.stat()) for path in sorted(Path(__file__).parent.glob("*.py")))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def compiled(function: Any, **options: Any) -> Any:  # noqa: ANN401 - numba's dispatcher has no useful type
    """Compile on first call, kept on disk where numba finds a folder it may write, in memory elsewhere.

    Without numba's memory management ("_nrt"): counting references to arrays took three quarters of a walk's time.
    So compiled code here allocates nothing; its caller brings the room.
    """
    options = {"nogil": True, "error_model": "numpy", "_nrt": False, **options}
    try:
        dispatcher: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available": a read-only installation
        return njit(**options)(function)
    # numba asks only whether the function's own file changed, and would run old code of a helper in another
    dispatcher._cache._cache_file._source_stamp = _stamp()  # noqa: SLF001
    return dispatcher


def inlined(function: Any) -> Any:  # noqa: ANN401
    """Compile a helper into its compiled callers: called, it would be handed whole arrays field by field."""
    return compiled(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _lowest_bit(_context, word):  # pragma: no cover - compiled
    """Return the place of the lowest set bit of a uint64 that is not 0."""

    def build(_target, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


lowest_bit: Any = intrinsic(_lowest_bit)
