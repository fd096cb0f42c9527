from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clock import FixedClock
from shared.contracts.datasets import BARS_1M
from shared.storage.lake import Lake, migrate_lake
from shared.storage.lake.frames import content_hash
from shared.storage.lake.parquet import encode
from shared.storage.postgres import Database

Key = tuple[str, datetime]
Value = float | None

#: Keys on both sides of the ends of a month and a year.
TIMES = [
    datetime(2024, 11, 30, 23, 59, tzinfo=UTC),
    datetime(2024, 12, 1, 0, 0, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2025, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2025, 1, 1, 0, 1, tzinfo=UTC),
]
keys = st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(TIMES))
values = st.one_of(st.none(), st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, float("nan")]))
rows = st.lists(st.tuples(keys, values), max_size=8)


@dataclass(frozen=True)
class Write:
    replace: bool
    rows: list[tuple[Key, Value]]


writes = st.lists(st.builds(Write, st.booleans(), rows), max_size=6)


@pytest.fixture(scope="module")
def lakes(postgres_url: str, tmp_path_factory: pytest.TempPathFactory):
    """Make empty lakes, one after the other, on one database."""
    from shared.testing.postgres import fresh_database

    with fresh_database(postgres_url) as url:
        database = Database(url, application_name="test")
        migrate_lake(database)

        def empty() -> Lake:
            with database.transaction() as conn:
                conn.execute("truncate lake.file")
            root: Path = tmp_path_factory.mktemp("lake")
            return Lake(database, str(root / uuid4().hex), FixedClock(datetime(2025, 2, 1, tzinfo=UTC)))

        yield empty
        database.close()


def frame(content: list[tuple[Key, Value]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(symbol, ts, value, value, value, value, value, f"{value}") for (symbol, ts), value in content],
        schema=BARS_1M.schema,
        orient="row",
    )


def stored(lake: Lake, **narrow) -> str:
    """Return the rows as text, in which NaN equals NaN and 0.0 differs from -0.0."""
    return repr(lake.read(lake.snapshot(BARS_1M, **narrow)).rows())


def modelled(model: dict[Key, Value]) -> str:
    return repr(frame(sorted(model.items())).rows())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(writes, st.sampled_from(TIMES), st.sampled_from(TIMES))
def test_any_sequence_of_writes_equals_a_dictionary(lakes, sequence: list[Write], start, end) -> None:
    lake = lakes()
    model: dict[Key, Value] = {}
    for write in sequence:
        if write.replace:
            lake.replace(BARS_1M, frame(write.rows))
            touched = {(symbol, ts.year, ts.month) for (symbol, ts), _ in write.rows}
            model = {key: value for key, value in model.items() if (key[0], key[1].year, key[1].month) not in touched}
        else:
            lake.upsert(BARS_1M, frame(write.rows))
        model.update(write.rows)
    assert stored(lake) == modelled(model)
    assert stored(lake, start=start, end=end, symbol="A") == modelled(
        {key: value for key, value in model.items() if key[0] == "A" and start <= key[1] < end}
    )
    assert sum(part.row_count for part in lake.partitions(BARS_1M)) == len(model)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, values, min_size=1), rows, st.randoms(use_true_random=False))
def test_the_same_rows_by_another_history_are_the_same_version(lakes, final: dict[Key, Value], junk, chance) -> None:
    at_once = lakes()
    at_once.upsert(BARS_1M, frame(list(final.items())))
    version = at_once.snapshot(BARS_1M).version
    files = {info.path(BARS_1M) for info in at_once.partitions(BARS_1M)}

    piecemeal = lakes()
    piecemeal.upsert(BARS_1M, frame([(key, 7.0) for key, _ in junk if key in final]))
    shuffled = list(final.items())
    chance.shuffle(shuffled)
    for row in shuffled:
        piecemeal.upsert(BARS_1M, frame([row]))
    assert piecemeal.snapshot(BARS_1M).version == version
    assert {info.path(BARS_1M) for info in piecemeal.partitions(BARS_1M)} == files
    for path in files:
        assert Path(piecemeal.files.address(path)).read_bytes() == Path(at_once.files.address(path)).read_bytes()


@given(rows, rows)
def test_different_rows_have_different_names(one, other) -> None:
    first, second = frame(one), frame(other)
    assert (content_hash(first) == content_hash(second)) == (repr(first.rows()) == repr(second.rows()))


@given(rows)
def test_name_and_bytes_do_not_depend_on_how_the_frame_lies_in_memory(content) -> None:
    whole = frame(content)
    pieces = pl.concat([whole[:1], whole[1:], whole[:0]], rechunk=False)
    window = pl.concat([frame([(("Z", TIMES[0]), 1.0)]), whole])[1:]
    for same in (pieces, window, whole.clone()):
        assert content_hash(same) == content_hash(whole)
        assert encode(same, BARS_1M.encoding) == encode(whole, BARS_1M.encoding)


def test_the_name_of_given_rows_never_changes() -> None:
    # everything downstream is named by it: a change here makes every feature and model be computed again
    content: list[tuple[Key, Value]] = [(("A", TIMES[0]), 1.5), (("B", TIMES[1]), None), (("B", TIMES[2]), -0.0)]
    assert content_hash(frame(content)) == "f774af62879eacec5f47f9df23e03b86fa56a965624626df6f2b5a6a575f365c"
