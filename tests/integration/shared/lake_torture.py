"""A writer or a reader of `test_storage_torture.py`, each run as a process of its own.

Writer i of two stamps its days, which overlap those of the other, in two symbols and two months with its running
number n, and adds row n to its diary: five partitions a commit. It says n on stdout once the commit returned. So in
any one state of the data

* the days that only writer i stamps all carry one number, and that is the last one in its diary;
* the days that both stamp all carry one number, the last of one of the two diaries;
* every number that was said is in the diary.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import polars as pl

from shared.clock import SystemClock
from shared.contracts.datasets import BARS_1M
from shared.storage.lake import Lake
from shared.storage.postgres import Database

FIRST_DAY = datetime(2024, 5, 22, 14, tzinfo=UTC)
DAYS = {0: range(12), 1: range(6, 18)}  # both reach over the end of May
ROWS_A_DAY = 40
DIARY = datetime(2024, 5, 1, tzinfo=UTC)


def stamped(writer: int, number: int) -> pl.DataFrame:
    times = [FIRST_DAY + timedelta(days=day, minutes=minute) for day in DAYS[writer] for minute in range(ROWS_A_DAY)]
    keys = [(symbol, ts) for symbol in ("AAA", "BBB") for ts in times]
    keys.append((f"DIARY{writer}", DIARY + timedelta(minutes=number)))
    stamp = float(2 * number + writer)  # even numbers are of writer 0
    return pl.DataFrame(
        [(symbol, ts, stamp, stamp, stamp, stamp, None, "test") for symbol, ts in keys],
        schema=BARS_1M.schema,
        orient="row",
    )


def diary(rows: pl.DataFrame, writer: int) -> list[int]:
    """Return the numbers of all commits of a writer that the rows show."""
    stamps = rows.filter(pl.col("symbol") == f"DIARY{writer}")["close"]
    return [int(stamp) // 2 for stamp in stamps]


def faults(rows: pl.DataFrame) -> list[str]:
    """Return what no single state of the data can look like."""
    found: list[str] = []
    if rows.select("symbol", "ts").is_duplicated().any():
        found.append("duplicated rows")
    last = {}
    for writer in DAYS:
        numbers = diary(rows, writer)
        if numbers != list(range(len(numbers))):
            found.append(f"diary {writer} has holes")
        last[writer] = 2 * numbers[-1] + writer if numbers else None
    stamps = rows.filter(~pl.col("symbol").str.starts_with("DIARY"))
    day = (stamps["ts"] - FIRST_DAY).dt.total_days()
    for days, allowed in (
        (range(6), {last[0]}),
        (range(12, 18), {last[1]}),
        (range(6, 12), set(last.values())),
    ):
        part = stamps.filter(day.is_in(list(days)))
        seen = set(part["close"].to_list())
        if len(seen) > 1 or not seen <= allowed:
            found.append(f"days {days}: mixed stamps {sorted(seen)}, diaries end with {last}")
        if seen and part.height != 2 * len(days) * ROWS_A_DAY:
            found.append(f"days {days}: {part.height} rows")
    return found


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(lake: Lake, writer: int) -> None:
    number = len(diary(lake.read(lake.snapshot(BARS_1M, symbol=f"DIARY{writer}")), writer))
    while True:
        lake.upsert(BARS_1M, stamped(writer, number))
        say(str(number))
        number += 1


def read(lake: Lake) -> None:
    while True:
        say("; ".join(faults(lake.read(lake.snapshot(BARS_1M)))))


if __name__ == "__main__":
    role, url, root = sys.argv[1:4]
    shared_lake = Lake(Database(url, application_name=role), root, SystemClock())
    if role == "read":
        read(shared_lake)
    else:
        write(shared_lake, int(sys.argv[4]))
