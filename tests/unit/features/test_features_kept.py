"""Kept answers: made once, bounded, and right for every thread that asks."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from feature_service.use_cases.kept import Kept


def test_what_was_asked_for_last_is_kept_and_the_rest_is_made_anew():
    made = []
    kept = Kept[str](2)

    def ask(name):
        return kept.get((name, 1), lambda: made.append(name) or name.upper())

    assert [ask(one) for one in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]  # b was the one not asked for when c came
    assert kept.get(("b", 2), lambda: "other data") == "other data"


@pytest.fixture
def hasty_threads():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_push_each_others_answers_out_get_their_own():
    kept = Kept[int](1)

    def ask(seed):
        return all(kept.get((one,), lambda one=one: one) == one for one in ((seed + i) % 3 for i in range(3_000)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
