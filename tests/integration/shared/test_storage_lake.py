from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shared.clock import FixedClock
from shared.contracts.datasets import ALL_DATASETS, BARS_1M, FEATURES, TRIALS
from shared.errors import Conflict, InvalidInput
from shared.storage.lake import Lake
from shared.storage.postgres import Connection, Database

MAY, JUNE = datetime(2024, 5, 31, 19, 58, tzinfo=UTC), datetime(2024, 6, 3, 13, 30, tzinfo=UTC)


def bars(symbol: str, start: datetime, count: int, price: float = 100.0, source: str = "test") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "ts": [start + timedelta(minutes=i) for i in range(count)],
            **{name: [price + i for i in range(count)] for name in ("open", "high", "low", "close")},
            "volume": [None if i % 3 == 2 else 10.5 * i for i in range(count)],
            "source": [source] * count,
        },
        schema=BARS_1M.schema,
    )


def test_what_is_written_is_read_back_sorted_by_key(lake: Lake) -> None:
    spy, qqq, june = bars("SPY", MAY, 3), bars("QQQ", MAY, 2), bars("SPY", JUNE, 4, price=float("nan"))
    commit = lake.upsert(BARS_1M, pl.concat([june, spy.reverse(), qqq]))
    assert commit.changed == ("symbol=QQQ/month=2024-05", "symbol=SPY/month=2024-05", "symbol=SPY/month=2024-06")
    assert (commit.rows_before, commit.rows_after, commit.rows_added) == (0, 9, 9)
    assert lake.read(lake.snapshot(BARS_1M)).equals(pl.concat([qqq, spy, june]))
    assert lake.read(lake.snapshot(BARS_1M, symbol="SPY")).equals(pl.concat([spy, june]))
    assert lake.read(lake.snapshot(BARS_1M, symbol=["SPY", "QQQ"], month="2024-05")).equals(pl.concat([qqq, spy]))
    cut = lake.snapshot(BARS_1M, symbol="SPY", start=MAY + timedelta(minutes=1), end=JUNE + timedelta(minutes=2))
    assert lake.read(cut).equals(pl.concat([spy[1:], june[:2]]))
    assert lake.read(cut, ["close"]).equals(pl.concat([spy[1:], june[:2]]).select("close"))


def test_a_row_replaces_the_stored_one_of_its_key_and_others_stay(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 5, source="a"))
    commit = lake.upsert(BARS_1M, bars("SPY", MAY + timedelta(minutes=3), 4, price=7, source="b"))
    assert (commit.rows_before, commit.rows_after) == (5, 7)
    rows = lake.read(lake.snapshot(BARS_1M))
    assert rows["source"].to_list() == ["a"] * 3 + ["b"] * 4
    assert rows["close"].to_list() == [100, 101, 102, 7, 8, 9, 10]


def test_of_a_key_named_twice_the_last_row_wins(lake: Lake) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 2, price=1), bars("SPY", MAY, 1, price=2)]))
    assert lake.read(lake.snapshot(BARS_1M))["close"].to_list() == [2, 2]


def test_writing_the_same_rows_again_changes_nothing(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 5))
    before = lake.snapshot(BARS_1M)
    assert lake.upsert(BARS_1M, bars("SPY", MAY, 5)).changed == ()
    assert lake.upsert(BARS_1M, bars("SPY", MAY, 2)).changed == ()
    assert lake.replace(BARS_1M, bars("SPY", MAY, 5)).committed_at is None
    assert lake.upsert(BARS_1M, bars("SPY", MAY, 0)).changed == ()
    assert lake.snapshot(BARS_1M) == before


def test_replace_puts_whole_partitions_anew(lake: Lake) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 5), bars("SPY", JUNE, 5), bars("QQQ", MAY, 1)]))
    lake.replace(BARS_1M, bars("SPY", MAY, 2, price=1))
    assert lake.read(lake.snapshot(BARS_1M)).equals(
        pl.concat([bars("QQQ", MAY, 1), bars("SPY", MAY, 2, price=1), bars("SPY", JUNE, 5)])
    )


def test_the_version_follows_rows_in_range_whatever_the_history(lake: Lake) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 5), bars("SPY", JUNE, 5)]))
    whole = lake.snapshot(BARS_1M).version
    may = lake.snapshot(BARS_1M, symbol="SPY", end=JUNE).version
    lake.upsert(BARS_1M, bars("SPY", JUNE, 1, price=3))
    assert lake.snapshot(BARS_1M).version != whole
    assert lake.snapshot(BARS_1M, symbol="SPY", end=JUNE).version == may
    lake.upsert(BARS_1M, bars("SPY", JUNE, 5))
    assert lake.snapshot(BARS_1M).version == whole
    assert lake.snapshot(BARS_1M, symbol="NONE").version == lake.snapshot(BARS_1M, symbol="NIL").version != whole


def test_content_that_came_back_survives_the_sweep_of_its_first_life(lake: Lake, clock: FixedClock) -> None:
    for price in (1.0, 2.0, 1.0):
        lake.upsert(BARS_1M, bars("SPY", MAY, 3, price=price))
        clock.advance(timedelta(hours=1))
    assert lake.sweep(timedelta(0)).superseded == 1
    assert lake.read(lake.snapshot(BARS_1M)).equals(bars("SPY", MAY, 3, price=1.0))


def test_a_sweep_between_write_and_commit_does_not_lose_the_files(lake: Lake, clock: FixedClock) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 3, price=1.0))
    lake.upsert(BARS_1M, bars("SPY", MAY, 3, price=2.0))
    clock.advance(timedelta(hours=1))
    swept = []
    add = lake.files.add

    def add_then_sweep(path: str, content: bytes) -> None:
        add(path, content)
        if not swept:
            swept.append(lake.sweep(timedelta(0)))

    lake.files.add = add_then_sweep  # type: ignore[method-assign]
    lake.upsert(BARS_1M, bars("SPY", MAY, 3, price=1.0))
    assert swept[0].superseded == 1
    assert lake.read(lake.snapshot(BARS_1M)).equals(bars("SPY", MAY, 3, price=1.0))


def test_a_failing_precondition_aborts_the_commit(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 3))
    before = lake.snapshot(BARS_1M)

    def lost(conn: Connection) -> None:
        assert conn.execute("select 1 as one").fetchone() == {"one": 1}
        raise Conflict("the lease is lost")

    for rows in (bars("SPY", MAY, 9), bars("SPY", MAY, 3)):
        with pytest.raises(Conflict, match="the lease is lost"):
            lake.upsert(BARS_1M, rows, precondition=lost)
    assert lake.snapshot(BARS_1M) == before


def test_a_writer_that_was_overtaken_merges_again(lake: Lake) -> None:
    overtaken = []

    def overtake(conn: Connection) -> None:
        if len(overtaken) < 3:
            overtaken.append(conn)
            lake.upsert(BARS_1M, bars("SPY", MAY + timedelta(minutes=len(overtaken)), 1, source="other"))

    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 1), bars("SPY", JUNE, 1)]), precondition=overtake)
    rows = lake.read(lake.snapshot(BARS_1M))
    assert rows["source"].to_list() == ["test", "other", "other", "other", "test"]
    assert len(overtaken) == 3


def test_partitions_tell_what_is_there_without_opening_files(lake: Lake, clock: FixedClock) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 3), bars("QQQ", MAY, 2)]))
    qqq, spy = lake.partitions(BARS_1M)
    assert qqq.partition_values == {"symbol": "QQQ", "month": "2024-05"}
    assert (spy.row_count, spy.min_ts, spy.max_ts) == (3, MAY, MAY + timedelta(minutes=2))
    assert spy.committed_at == clock.now()
    assert spy.byte_count > 0
    assert lake.partitions(BARS_1M, symbol="SPY") == [spy]
    with pytest.raises(InvalidInput, match="bars_1m has no partition 'sybmol': it has symbol, month"):
        lake.partitions(BARS_1M, sybmol="SPY")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("close"), "bars_1m: column 'close' is missing; the frame has symbol, ts, open"),
        (lambda f: f.cast({"volume": pl.Int64}), "column 'volume' is Int64, it must be Float64"),
        (lambda f: f.cast({"ts": pl.Datetime("ns", "UTC")}), "column 'ts' is Datetime"),
        (lambda f: f.with_columns(pl.lit(1.0).alias("vwap")), "unknown column 'vwap'"),
        (lambda f: f.with_columns(pl.lit(None, pl.String).alias("symbol")), "'symbol' is null in row 0"),
        (lambda f: f.with_columns(pl.lit("").alias("symbol")), "'symbol' is empty in row 0"),
        (
            lambda f: f.with_columns(pl.when(pl.col("close") > 101).then(None).otherwise(pl.col("ts")).alias("ts")),
            "key column 'ts' is null in row 2",
        ),
    ],
)
def test_a_frame_of_another_shape_is_refused_with_the_reason(lake: Lake, change, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        lake.upsert(BARS_1M, change(bars("SPY", MAY, 4)))
    assert message in str(raised.value)
    assert lake.partitions(BARS_1M) == []


def features(name: str, symbol: str, start: datetime, **columns: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"feature_set": [name], "symbol": [symbol], "ts": [start]}, schema=FEATURES.schema
    ).with_columns(pl.lit(value, pl.Float32).alias(column) for column, value in columns.items())


def test_feature_files_of_different_columns_are_joined_only_when_columns_are_named(lake: Lake) -> None:
    lake.upsert(FEATURES, features("base/1", "SPY", MAY, rsi=1.0, atr=2.0))
    lake.upsert(FEATURES, features("base/1", "SPY", JUNE, rsi=3.0))
    both = lake.snapshot(FEATURES, symbol="SPY")
    with pytest.raises(InvalidInput, match="differ in columns atr: name the columns you want"):
        lake.read(both)
    assert lake.read(both, ["atr", "ts", "rsi"]).equals(
        pl.DataFrame({"atr": [2.0, None], "ts": [MAY, JUNE], "rsi": [1.0, 3.0]}).cast(
            {"atr": pl.Float32, "rsi": pl.Float32, "ts": FEATURES.schema["ts"]}
        )
    )
    with pytest.raises(InvalidInput, match="no column 'ema'; there are atr, feature_set, rsi, symbol, ts"):
        lake.read(both, ["ema"])
    with pytest.raises(InvalidInput, match="differ in columns atr Float32"):
        lake.upsert(FEATURES, features("base/1", "SPY", MAY, rsi=1.0))
    with pytest.raises(InvalidInput, match="column 'name' is String, it must be a number"):
        lake.upsert(FEATURES, features("base/1", "SPY", MAY).with_columns(pl.lit("x").alias("name")))


def test_the_order_of_extra_columns_is_not_content(lake: Lake) -> None:
    lake.upsert(FEATURES, features("base", "SPY", MAY, rsi=1.0, atr=2.0))
    assert lake.upsert(FEATURES, features("base", "SPY", MAY, atr=2.0, rsi=1.0)).changed == ()


@pytest.mark.parametrize("dataset", ALL_DATASETS, ids=lambda dataset: dataset.name)
def test_an_empty_result_has_the_schema(lake: Lake, dataset) -> None:
    empty = lake.read(lake.snapshot(dataset))
    assert empty.schema == dataset.schema
    assert lake.read(lake.snapshot(dataset), list(dataset.schema)[1:]).width == len(dataset.schema) - 1
    assert lake.upsert(dataset, empty).changed == ()


@pytest.mark.parametrize("dataset", ALL_DATASETS, ids=lambda dataset: dataset.name)
def test_keys_begin_with_the_partition_so_that_files_in_order_are_rows_in_order(dataset) -> None:
    columns = tuple(name for name in dataset.partition_by if name != "month")
    assert dataset.key[: len(columns)] == columns
    assert "month" not in dataset.partition_by or dataset.key[len(columns)] == "ts"


def test_no_rows_in_range_keep_the_schema(lake: Lake) -> None:
    lake.upsert(BARS_1M, pl.concat([bars("SPY", MAY, 1), bars("SPY", MAY + timedelta(minutes=9), 1)]))
    hole = lake.snapshot(BARS_1M, start=MAY + timedelta(minutes=2), end=MAY + timedelta(minutes=8))
    assert hole.files
    assert lake.read(hole).schema == BARS_1M.schema
    assert lake.read(hole, ["open"]).shape == (0, 1)


def test_a_dataset_without_time_works_alike(lake: Lake) -> None:
    rows = pl.DataFrame(
        {
            "sweep": ["a", "a", "b"],
            "setting": [1, 0, 0],
            "session": [MAY.date()] * 3,
            "daily_return": [0.1, None, -0.0],
            "timing_alpha": [0.0, float("inf"), 1e-300],
        },
        schema=TRIALS.schema,
    )
    lake.upsert(TRIALS, rows)
    assert lake.read(lake.snapshot(TRIALS, sweep="a")).equals(rows[:2].reverse())
    assert lake.partitions(TRIALS)[0].min_ts is None


def test_a_naive_time_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidInput, match="start 2024-05-01T00:00:00 has no time zone"):
        lake.snapshot(BARS_1M, start=datetime(2024, 5, 1))  # noqa: DTZ001


def test_names_that_are_awkward_in_paths_and_patterns_stay_apart(lake: Lake) -> None:
    names = ["A", "A.B", "A/B", "A%2FB", "A=B", "..", "AB", "Ä b", "A_", "%"]
    lake.upsert(BARS_1M, pl.concat([bars(name, MAY, 1) for name in names]))
    for name in names:
        assert lake.read(lake.snapshot(BARS_1M, symbol=name))["symbol"].to_list() == [name]
    assert lake.read(lake.snapshot(BARS_1M))["symbol"].to_list() == sorted(names)
    assert lake.snapshot(BARS_1M, symbol=["A/B", "..", "nope"]).rows == 2


def test_a_file_damaged_from_outside_is_named(lake: Lake) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 3))
    snapshot = lake.snapshot(BARS_1M)
    path = lake.files.address(snapshot.files[0].path(BARS_1M))
    with open(path, "r+b") as file:  # noqa: PTH123
        file.truncate(100)
    with pytest.raises(Conflict, match="cannot be read, it was changed or damaged outside the lake"):
        lake.read(snapshot)


def test_the_manifest_clock_never_runs_backwards(lake: Lake, clock: FixedClock, database: Database, data_dir) -> None:
    lake.upsert(BARS_1M, bars("SPY", MAY, 1))
    behind = Lake(database, str(data_dir / "lake"), FixedClock(clock.now() - timedelta(days=1)))
    behind.upsert(BARS_1M, bars("SPY", MAY, 2))
    assert lake.read(lake.snapshot(BARS_1M, as_of=clock.now())).height == 2
