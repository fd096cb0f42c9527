"""Faults injected into a clean year of minutes: how many are found, and how many honest bars are taken for faults.

    python benchmarks/ingestion_faults.py                                          # a simulated year
    python benchmarks/ingestion_faults.py --bars ../shared/data/bars_1m/A/us2024/SPY.parquet

Every fault goes into a copy of its own, through the checks that every row passes on its way in. The last line is the
clean year itself.
"""

# ruff: noqa: E402 - the folder of this file must not be importable: it has a "queue" that is not the standard one
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import numpy as np
import polars as pl

from ingestion_service.domain.comparing import agreeing, compare
from ingestion_service.domain.coverage import off_hours
from ingestion_service.domain.gaps import missing
from ingestion_service.domain.sources import RAW_SCHEMA
from ingestion_service.domain.splits import suspected_splits
from ingestion_service.domain.timeframes import Timeframe, resampled
from ingestion_service.domain.validation import screen
from shared.contracts.datasets import CORPORATE_ACTIONS
from shared.contracts.sessions import all_sessions
from shared.contracts.splits import trading_days
from simulated_exchange.market import Market

PRICES = ("open", "high", "low", "close")
SPLITS = (1.5, 2, 3, 4, 5, 7, 10, 20, 1 / 2, 1 / 5, 1 / 10)
#: bars at either end of the year that cannot be judged yet
EDGE = 3


@dataclass(frozen=True)
class Line:
    fault: str
    injected: int
    detected: int
    false_alarms: int


def simulated_year() -> pl.DataFrame:
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    year = Market().bars("EDGE", datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    return year.rename(names).select(RAW_SCHEMA.names()).cast(dict(RAW_SCHEMA))


def table(clean: pl.DataFrame, seed: int = 1) -> list[Line]:
    """Return what becomes of every kind of fault in `clean`: RAW_SCHEMA, whole regular sessions, ascending."""
    rng = np.random.default_rng(seed)
    year = _Year(clean)
    found = (year.rows(rng), year.gaps(rng), year.half_days(), year.second_provider(rng), year.splits(rng))
    return [*chain.from_iterable(found), year.clean_twin()]


class _Year:
    def __init__(self, clean: pl.DataFrame) -> None:
        self.clean = clean
        self.ts_us = clean["ts"].to_physical().to_numpy()
        self.already = set(missing("SPY", self.ts_us, []).ts_us.tolist())

    def rows(self, rng: np.random.Generator) -> Iterator[Line]:
        """Faults of single rows: found when the row, and no other, is refused."""
        for name, factors, prices in (
            ("bad ticks, whole bar: 15 % to 100 x", (1.15, 0.85, 1.5, 0.5, 10, 0.1, 100, 0.01), PRICES),
            ("bad ticks, high only: 15 % to 10 x", (1.15, 1.5, 10), ("high",)),
            ("bad ticks, low only: 15 % to 99 %", (0.85, 0.5, 0.01), ("low",)),
            ("bad ticks, whole bar: 5 %", (1.05, 0.95), PRICES),
            ("zero prices", (0.0,), PRICES),
            ("negative prices", (-1.0,), PRICES),
            ("missing prices", (np.nan,), ("close",)),
            ("close above high", (1.002,), ("close",)),
        ):
            chosen = self._spread(rng, 240)
            factor = np.ones(self.clean.height)
            factor[chosen] = np.resize(factors, len(chosen))
            if name.startswith("close"):
                factor[chosen] *= (self.clean["high"] / self.clean["close"]).to_numpy()[chosen]
            yield self._refused(name, self.clean.with_columns(pl.col(prices) * pl.Series(factor)), chosen)
        for factor in (1.25, 1.05):
            chosen = np.concatenate([row + np.arange(3) for row in self._spread(rng, 80)])
            name = f"three bad bars in a row: {factor - 1:.0%}".replace("%", " %")
            yield self._refused(name, self._scaled(chosen, factor), chosen)
        chosen = self._spread(rng, 240)
        seconds = np.zeros(self.clean.height, dtype=np.int64)
        seconds[chosen] = rng.integers(1, 60, len(chosen))
        late = self.clean.with_columns(pl.col("ts") + pl.duration(seconds=pl.Series(seconds)))
        yield self._refused("off-minute stamps", late, chosen)
        yield self._on_closed_days()
        first = self._spread(rng, 60)
        runs = np.concatenate([row + np.arange(1, 6) for row in first])
        source = np.arange(self.clean.height)
        source[runs] = np.repeat(first, 5)
        stale = self.clean.select("ts", *(pl.col(name).gather(source) for name in (*PRICES, "volume")))
        yield self._refused("stale repeats, five minutes each", stale, runs)
        for name, factor in (("duplicates, equal", 1.0), ("duplicates, other prices", 1.001)):
            chosen = self._spread(rng, 240)
            twice = pl.concat([self._scaled(chosen, factor)[chosen], self.clean])
            found = screen(twice, "SPY", "test")
            same = found.bars.select(RAW_SCHEMA.names()).equals(self.clean)
            yield Line(name, len(chosen), sum(found.rejected.values()), 0 if same else 1)

    def _on_closed_days(self) -> Line:
        """Fridays once more on Saturday, and eves of holidays once more on the holiday."""
        sessions = all_sessions()
        session = sessions.index_of(self.ts_us)
        before = np.flatnonzero(np.diff(sessions.date) > np.timedelta64(1, "D"))
        made_up = self.clean.filter(np.isin(session, before)).with_columns(pl.col("ts") + timedelta(days=1))
        refused = screen(pl.concat([self.clean, made_up]), "SPY", "test").refused["ts"]
        hit = refused.is_in(made_up["ts"].implode()).sum()
        return Line("weekends and holidays, minutes", made_up.height, hit, len(refused) - hit)

    def gaps(self, rng: np.random.Generator) -> Iterator[Line]:
        """Minutes taken out: found when they, and no others, are missing."""
        for name, count, length in (("gaps of a minute", 240, 1), ("gaps of half an hour", 40, 30)):
            out = np.unique(np.concatenate([row + np.arange(length) for row in self._spread(rng, count)]))
            yield self._missed(name, out)
        session = all_sessions().index_of(self.ts_us)
        days = rng.choice(np.unique(session)[1:-1], 5, replace=False)
        yield self._missed("whole sessions", np.flatnonzero(np.isin(session, days)))

    def half_days(self) -> Iterator[Line]:
        """Sessions cut at 13:00 that were whole, and afternoons made up for half days."""
        sessions = all_sessions()
        session, minute = sessions.index_of(self.ts_us), sessions.minute_of(self.ts_us)
        whole = [row for row in np.unique(session)[1:-1] if sessions.minutes[row] == 390][20:200:30]
        yield self._missed(
            "half days that were none, minutes", np.flatnonzero(np.isin(session, whole) & (minute >= 210))
        )
        halves = [row for row in np.unique(session) if sessions.minutes[row] == 210]
        made_up = [
            self.clean.filter((session == row) & (minute >= 30)).with_columns(pl.col("ts") + timedelta(minutes=180))
            for row in halves
        ]
        if made_up:
            bars = screen(pl.concat([self.clean, *made_up]), "SPY", "test").bars
            before = off_hours("SPY", self.ts_us)
            found = off_hours("SPY", bars["ts"].to_physical().to_numpy()) - before
            yield Line("afternoons of half days, minutes", sum(part.height for part in made_up), found, before)

    def second_provider(self, rng: np.random.Generator) -> Iterator[Line]:
        """A level that is wrong for twenty minutes looks like a move; a second provider tells."""
        chosen = np.concatenate([row + np.arange(20) for row in self._spread(rng, 12)])
        noise = pl.Series(np.exp(rng.normal(0, 1e-4, self.clean.height)))
        other = self.clean.with_columns(pl.col(name) * noise for name in PRICES)
        wrong = compare(self._scaled(chosen, 1.05), other).contradicted
        hit = wrong.is_in(self.clean["ts"][chosen].implode()).sum()
        yield Line("wrong level of 20 minutes, 5 %, against a second provider", len(chosen), hit, len(wrong) - hit)
        chosen = self._spread(rng, 240)
        suspects = screen(self._scaled(chosen, 1.05), "SPY", "test").refused
        moved = np.ones(self.clean.height)
        moved[chosen] = 1.05
        seen_too = other.with_columns(pl.col(PRICES) * pl.Series(moved))
        yield Line("spikes of 5 % that a second provider confirms", len(chosen), len(agreeing(suspects, seen_too)), 0)
        yield Line(
            "spikes of 5 % that a second provider refutes", len(chosen), len(suspects), len(agreeing(suspects, other))
        )

    def splits(self, rng: np.random.Generator) -> Iterator[Line]:
        """Splits nobody told of: found when their day, and no other, is suspected."""
        days = trading_days(self.clean["ts"])
        some = rng.choice(days.unique().sort()[10:-10].to_numpy(), len(SPLITS), replace=False)
        hits = alarms = 0
        for ratio, day in zip(SPLITS, some, strict=True):
            ex_date: date = day.astype("datetime64[D]").item()
            found = self._suspected(self._scaled(np.flatnonzero((days >= ex_date).to_numpy()), 1 / ratio))
            hit = (ex_date, ratio) in found
            hits, alarms = hits + hit, alarms + len(found) - hit
        yield Line("splits of 3:2 to 20:1 and 1:2 to 1:10", len(SPLITS), hits, alarms)

    def clean_twin(self) -> Line:
        found = screen(self.clean, "SPY", "test")
        alarms = sum(found.rejected.values()) + len(self._suspected(self.clean))
        return Line("the clean year", 0, 0, alarms + len(self.already) + off_hours("SPY", self.ts_us))

    def _spread(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return rows at least 40 apart."""
        slots = np.arange(EDGE, self.clean.height - 60, 60)
        return np.sort(rng.choice(slots, count, replace=False)) + rng.integers(0, 20, count)

    def _scaled(self, rows: np.ndarray, factor: float) -> pl.DataFrame:
        factors = np.ones(self.clean.height)
        factors[rows] = factor
        return self.clean.with_columns(pl.col(PRICES) * pl.Series(factors))

    def _refused(self, name: str, faulty: pl.DataFrame, rows: np.ndarray) -> Line:
        refused = screen(faulty, "SPY", "test").refused["ts"]
        hit = refused.is_in(faulty["ts"][rows].implode()).sum()
        return Line(name, len(rows), hit, len(refused) - hit)

    def _missed(self, name: str, rows: np.ndarray) -> Line:
        out = set(self.ts_us[rows].tolist())
        found = set(missing("SPY", np.delete(self.ts_us, rows), []).ts_us.tolist()) - self.already
        return Line(name, len(out), len(found & out), len(found - out))

    def _suspected(self, raw: pl.DataFrame) -> list[tuple[date, float]]:
        bars = screen(raw, "SPY", "test").bars
        daily = resampled(bars, "SPY", Timeframe.D1)
        known = pl.DataFrame(schema=CORPORATE_ACTIONS.schema)
        return [(s.ex_date, s.ratio) for s in suspected_splits(daily, trading_days(daily["ts"]), known)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=Path, help="Parquet of a year of one symbol's regular minutes")
    asked = parser.parse_args()
    clean = (
        simulated_year() if asked.bars is None else pl.read_parquet(asked.bars).select(RAW_SCHEMA.names()).sort("ts")
    )
    lines = table(clean.cast(dict(RAW_SCHEMA)))
    print(f"{clean.height:,} minutes of {asked.bars or 'the simulated market'}\n")
    print(f"{'fault':58} {'injected':>9} {'detected':>9} {'':>7} {'false alarms':>13}")
    for line in lines:
        share = f"{line.detected / line.injected:7.1%}" if line.injected else "       "
        print(f"{line.fault:58} {line.injected:9,} {line.detected:9,} {share} {line.false_alarms:13,}")


if __name__ == "__main__":
    main()
