"""What a leak check answers."""

from __future__ import annotations

import io
from typing import Self

import polars as pl
from pydantic import BaseModel

from feature_service.domain.leaks.findings import MEANINGS, Report
from shared.errors import InvalidInput


class FindingOut(BaseModel):
    """One check: what it saw, and what a hit proves, a miss leaves open, and how often it cries wolf."""

    check: str
    leak: bool
    strength: float
    threshold: float
    detail: str
    hit: str
    miss: str
    false_alarms: str


class ReportOut(BaseModel):
    """`leak` is true when any check found one; `skipped` says why others could not be made."""

    leak: bool
    findings: list[FindingOut]
    skipped: dict[str, str]

    @classmethod
    def of(cls, report: Report) -> Self:
        findings = [FindingOut(**vars(one), **vars(MEANINGS[one.check])) for one in report.findings]
        return cls(leak=report.leak, findings=findings, skipped=report.skipped)


def table_of(body: bytes) -> pl.DataFrame:
    """Return the table in `body`, CSV or Parquet, told apart by Parquet's own mark. Raises InvalidInput."""
    try:
        return pl.read_parquet(io.BytesIO(body)) if body[:4] == b"PAR1" else pl.read_csv(io.BytesIO(body))
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(f"the body is neither CSV with a header nor Parquet: {error}") from error
