"""What is asked wrongly is refused, and what cannot be known is not told."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from pydantic import BaseModel, ValidationError

from ingestion_service.domain.splits import suspected_splits
from ingestion_service.schemas.agents import StartAgent, UniverseSymbols
from ingestion_service.schemas.bars import BarsQuery
from ingestion_service.schemas.providers import AskForActions
from ingestion_service.schemas.quality import BackfillQuery, CompareBody, ImportFactors, NewAction
from shared.contracts.datasets import CORPORATE_ACTIONS

SPAN = {"start": "2024-01-02", "end": "2024-01-03"}


@pytest.mark.parametrize(
    ("body", "sound"),
    [
        (StartAgent, {}),
        (UniverseSymbols, {"symbols": ["SPY"]}),
        (AskForActions, SPAN),
        (BackfillQuery, {}),
        (CompareBody, SPAN | {"provider": "yahoo"}),
        (NewAction, {"kind": "split", "ex_date": "2024-01-02", "value": 2}),
        (ImportFactors, {"path": "factors"}),
    ],
)
def test_a_field_nobody_knows_is_refused(body: type[BaseModel], sound: dict[str, object]):
    body.model_validate(sound)
    with pytest.raises(ValidationError, match="Extra inputs"):
        body.model_validate(sound | {"misspelt": 1})


def test_bars_of_a_span_that_ends_before_it_starts_are_refused():
    BarsQuery.model_validate(SPAN)
    with pytest.raises(ValidationError, match="must not be before start, 2024-01-03"):
        BarsQuery.model_validate({"start": SPAN["end"], "end": SPAN["start"]})


@pytest.mark.parametrize(("second", "told"), [(date(2024, 7, 5), 1), (date(2024, 7, 9), 1), (date(2029, 7, 5), 0)])
def test_a_step_over_a_long_outage_is_no_suspected_split(second: date, told: int):
    daily = pl.DataFrame({"open": [100.0, 50.0], "close": [100.0, 50.0]})
    days = pl.Series([date(2024, 7, 3), second])
    assert len(suspected_splits(daily, days, pl.DataFrame(schema=CORPORATE_ACTIONS.schema))) == told
