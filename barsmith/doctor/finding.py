"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    #: works, but not all of it, or not for long
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """A check's name, its verdict, what was seen, and what to do about it (empty when ok)."""

    check: str
    verdict: Verdict
    seen: str
    remedy: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Verdict.OK, seen)


def warn(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Verdict.WARN, seen, remedy)


def fail(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Verdict.FAIL, seen, remedy)
