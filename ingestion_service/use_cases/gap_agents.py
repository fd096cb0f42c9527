"""The gap scanner and the gap filler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ingestion_service.domain.agents import FillOptions
from ingestion_service.domain.requests import FillGaps
from ingestion_service.store.bars import BarStore
from ingestion_service.use_cases.agents import Ended, Run, options_of
from ingestion_service.use_cases.filler import Filler
from ingestion_service.use_cases.tries import Tries
from shared.clock import Clock

#: Symbols named in a run's result; the counts are of all.
_NAMED = 100
#: For so long an index's silent minutes and better rows may still come; older ones are asked for once.
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
            if counts := self.gap_minutes(stock.symbol):
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

    def gap_minutes(self, symbol: str) -> dict[str, int]:
        """Return the minutes of each kind of gap that the symbol has."""
        counts = self.store.facts(symbol).missing
        return {why.value: count for why, count in counts.items() if why.is_gap}


@dataclass(frozen=True)
class GapFiller:
    """Asks for every gap again; fills what stays missing only where its options say so."""

    scanner: GapScanner
    filler: Filler
    clock: Clock

    def run(self, run: Run) -> Ended:
        """Close what can be closed. Raises Refused when credentials are, Unavailable when nobody answers at all."""
        options = options_of(run, FillOptions)
        stocks = [stock.symbol for stock in self.scanner.store.stocks()]
        new_rows, filled, tries = 0, 0, Tries(run)
        for done, symbol in enumerate(stocks):
            if not run.goes_on(done / len(stocks), f"{symbol}: {done + 1:,} of {len(stocks):,} symbols"):
                break
            if not self.scanner.gap_minutes(symbol):
                continue
            request = FillGaps(symbol=symbol, max_iterations=options.max_iterations)
            with tries.of(symbol):
                answers = self.filler.ask_again(request, run.quietly(), self.clock.now() - _YOUNG)
                new_rows += _count(answers["new_rows"])
                if options.fill:
                    filled += self.filler.fill(request, run.ctx.still_mine)
        return Ended({"symbols": len(stocks), "new_rows": new_rows, "filled": filled, "failed": tries.failed})


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
