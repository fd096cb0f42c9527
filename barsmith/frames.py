"""Stored series as data frames, for notebooks: `barsmith.features("SPY")`."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith.folder import DEFAULT_HOME

if TYPE_CHECKING:
    import polars as pl


def features(
    symbol: str,
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    columns: Sequence[str] = (),
    feature_set: str | None = None,
    home: str | Path | None = None,
) -> pl.DataFrame:
    """Return built features of `symbol` in [start, end): `ts` (UTC) and one column a feature, ascending.

    Asks the running stack on `home` (default: $BARSMITH_HOME, else the usual folder), or the address in
    $BARSMITH_FEATURES_URL. `.to_pandas()` makes it a pandas frame.

    start, end : days or instants in UTC; None is the beginning and the end of what is built
    columns : names from `barsmith features catalogue`; all of the set when empty
    feature_set : a set's name or id; None takes the first that is built (core before full) and has the columns

    Raises Unavailable when no stack runs there, NotFound when nothing is built, InvalidInput for unknown columns.
    """
    import polars as pl

    from barsmith.remote import House

    folder = Path(home or os.environ.get("BARSMITH_HOME") or DEFAULT_HOME).expanduser().resolve()
    asked = {"start": _instant(start), "end": _instant(end), "columns": ",".join(columns) or None}
    found = House(folder).download("features", f"/features/{symbol}", feature_set=feature_set, format="arrow", **asked)
    return pl.read_ipc(io.BytesIO(found))


def _instant(at: date | str | None) -> str | None:
    if at is None:
        return None
    text = at if isinstance(at, str) else at.isoformat()
    return text if "T" in text else f"{text}T00:00:00Z"
