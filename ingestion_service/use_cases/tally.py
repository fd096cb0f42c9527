"""What became of a job's rows, and what each provider said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion_service.domain.validation import EXAMPLES, Screened
from shared.storage.lake import Commit


@dataclass
class Tally:
    """What became of the rows of a job: `rows` came in; each is either stored or rejected with a reason.

    `new_rows` of the stored ones were not there before; `replaced` ones were, with other values. `examples` are the
    first rejected rows of each reason.
    `withdrawn` bars were stored before, and went to the quarantine: beside the new ones they are spikes.
    `off_hours` of a file's stored bars lie outside regular hours: many of them can be times of another zone.
    `second_opinions` questions about spikes went to second providers, who `confirmed` so many bars that are stored.
    """

    rows: int = 0
    stored: int = 0
    new_rows: int = 0
    replaced: int = 0
    withdrawn: int = 0
    off_hours: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, str]] = field(default_factory=list)
    second_opinions: int = 0
    confirmed: int = 0

    def add(self, screened: Screened, *, where: str) -> None:
        self.rows += screened.rows
        self.stored += screened.bars.height
        self.withdrawn += screened.withdrawn.height
        for reason, count in screened.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for example in screened.examples:
            if sum(known["reason"] == example["reason"] for known in self.examples) < EXAMPLES:
                self.examples.append({"where": where, **example})

    def count(self, commit: Commit) -> None:
        self.new_rows += commit.rows_added
        self.replaced += commit.rows_replaced

    def merge(self, part: Tally) -> None:
        self.rows += part.rows
        self.stored += part.stored
        self.new_rows += part.new_rows
        self.replaced += part.replaced
        self.withdrawn += part.withdrawn
        self.off_hours += part.off_hours
        self.second_opinions += part.second_opinions
        self.confirmed += part.confirmed
        for reason, count in part.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.examples = (self.examples + part.examples)[: 4 * EXAMPLES]


@dataclass
class Answers:
    """What one provider said in a job: spans with bars, spans without, and its refusals in its own words."""

    bars: int = 0
    with_bars: int = 0
    empty: int = 0
    refusals: list[str] = field(default_factory=list)

    def said(self) -> str:
        """Return it as one phrase."""
        spoken = []
        if self.with_bars:
            spoken.append(f"gave {self.bars:,} bars")
        if self.empty:
            spoken.append(f"answered {self.empty} {'span' if self.empty == 1 else 'spans'} without a bar")
        spoken.extend(dict.fromkeys(self.refusals))
        return "; ".join(spoken[:4]) or "was not asked"


def all_said(answers: Mapping[str, Answers], passed_over: Mapping[str, str]) -> str:
    """Return what everybody said, as one line."""
    asked = [f"{name}: {answer.said()}" for name, answer in answers.items()]
    return " | ".join([*asked, *(f"{name}: passed over: {why}" for name, why in passed_over.items())])
