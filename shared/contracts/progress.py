"""Progress is a hook: the one who computes says how far it is, and never knows who watches."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how far a piece of work has come."""

    def advanced(self, fraction: float, note: str = "") -> None:
        """Say that `fraction` (0..1) is done; `note` is one short line for people."""
        ...


class NoProgress:
    """For callers that do not watch."""

    def advanced(self, fraction: float, note: str = "") -> None:
        del fraction, note
