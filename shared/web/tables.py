"""A table as JSON rows, CSV, Parquet or Arrow."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

import polars as pl
from fastapi import Response

TableFormat = Literal["json", "csv", "parquet", "arrow"]


def table_response(
    frame: pl.DataFrame, kind: TableFormat, name: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with the frame's rows; all but JSON as a file called `name` to save. Times are UTC."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', **(headers or {})}
    stamps = [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    text = frame.with_columns(pl.col(stamps).dt.strftime("%Y-%m-%dT%H:%M:%SZ")) if stamps else frame
    if kind == "csv":
        return Response(text.write_csv(), media_type="text/csv", headers=disposition)
    if kind == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return Response(buffer.getvalue(), media_type="application/vnd.apache.parquet", headers=disposition)
    if kind == "arrow":
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
        return Response(buffer.getvalue(), media_type="application/vnd.apache.arrow.file", headers=disposition)
    return Response(text.write_json(), media_type="application/json", headers=dict(headers or {}))
