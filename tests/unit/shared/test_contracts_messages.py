"""Moments as people and charts write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.contracts.messages import Moment

MOMENT = TypeAdapter(Moment)
MAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["2024-05-01", "20240501", 20240501, "2024-05-01T00:00:00Z", "1714521600", 1714521600, 1714521600.0]
)
def test_a_day_and_a_moment_are_read_however_they_are_written(written):
    assert MOMENT.validate_python(written) == MAY


@pytest.mark.parametrize("written", ["2024", 2024, "0", "20241301", 20241301, "202405"])
def test_a_number_that_is_no_day_is_refused_with_its_value(written):
    with pytest.raises(ValidationError, match=f"{written} is not a time: write a day as 2024-05-01"):
        MOMENT.validate_python(written)


@pytest.mark.parametrize("written", ["2024-13-01", "2024-05-01T25:00:00Z", "yesterday", "", True, "-5000000000"])
def test_what_is_no_time_is_refused(written):
    with pytest.raises(ValidationError):
        MOMENT.validate_python(written)
