"""The answer to a mutation that takes time: 202, the job's id and where to watch it."""

from __future__ import annotations

from pydantic import BaseModel


class Accepted(BaseModel):
    """A job was enqueued; `link` is its address on the same service."""

    job_id: int
    link: str


def accepted(job_id: int) -> Accepted:
    """Use with `@router.post(..., status_code=202)`."""
    return Accepted(job_id=job_id, link=f"/jobs/{job_id}")
