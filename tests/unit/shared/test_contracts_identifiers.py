from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.identifiers import canonical_json, check_symbol, fingerprint
from shared.contracts.messages import Folds, Window
from shared.errors import InvalidInput

_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    _scalars | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)


@given(parts=st.dictionaries(st.text(), _values, max_size=6))
def test_the_order_of_keys_never_changes_the_text(parts):
    assert canonical_json(parts) == canonical_json(dict(reversed(parts.items())))


def test_a_fingerprint_is_64_hex_digits_and_depends_on_kind_and_value():
    one = fingerprint("model", alpha=0.1)
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")
    assert one == fingerprint("model", alpha=0.1)
    assert len({one, fingerprint("sweep", alpha=0.1), fingerprint("model", alpha=0.2)}) == 3


def test_the_same_parameter_written_differently_has_one_name():
    noon_new_york = datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=-4)))
    assert canonical_json(1.0) == canonical_json(1) == "1"
    assert canonical_json(noon_new_york) == canonical_json(datetime(2024, 5, 1, 16, tzinfo=UTC))
    assert canonical_json({3, 1, 2}) == "[1,2,3]"
    assert canonical_json(date(2024, 5, 1)) == '"2024-05-01"'
    assert canonical_json(Folds()) == canonical_json(Folds().model_dump())


def test_a_large_float_stays_apart_from_its_neighbour():
    assert canonical_json(2.0**60) != canonical_json(2.0**60 + 2.0**10)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), datetime(2024, 5, 1), object(), b"bytes"])  # noqa: DTZ001
def test_what_has_no_single_name_is_refused(bad):
    with pytest.raises(InvalidInput):
        fingerprint("model", value=bad)


@pytest.mark.parametrize(("written", "meant"), [("spy", "SPY"), (" BRK.B ", "BRK.B"), ("X", "X")])
def test_symbols_are_upper_case(written, meant):
    assert check_symbol(written) == meant


@pytest.mark.parametrize("bad", ["", "../etc", "A B", "A/B", ".A", "A" * 16, "A'--", "É"])
def test_a_symbol_that_could_leave_its_folder_is_refused(bad):
    with pytest.raises(InvalidInput, match="not a ticker"):
        check_symbol(bad)


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="start must come first"):
        Window(start=datetime(2024, 5, 2, tzinfo=UTC), end=datetime(2024, 5, 1, tzinfo=UTC))


def test_a_bare_day_in_a_window_is_its_midnight():
    window = Window.model_validate({"start": "2024-05-05", "end": "2024-05-06"})
    assert window == Window(start=datetime(2024, 5, 5, tzinfo=UTC), end=datetime(2024, 5, 6, tzinfo=UTC))
