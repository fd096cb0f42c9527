"""What goes into the queue is made storable, or refused, before it reaches Postgres."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.jobs.computer import THREAD_COUNTS, child_environment
from shared.jobs.context import JobContext
from shared.jobs.handling import Failure, handle
from shared.jobs.model import JobState, Outcome, Report, storable, to_json

CONTEXT = JobContext(job_id=1, kind="tests.unit", payload={}, priority=0.0, attempt=1, token=uuid4())


@given(fraction=st.floats(), note=st.text())
def test_a_report_is_storable_whatever_a_handler_says(fraction, note):
    report = Report(fraction, note)
    assert 0.0 <= report.fraction <= 1.0
    assert len(report.note) <= 200
    assert "\n" not in report.note
    to_json("progress", report.note)


@given(st.text(st.characters()))
def test_storable_text_is_valid_utf8_without_nul(text):
    assert "\x00" not in storable(text).encode().decode()


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        (InvalidInput("no"), False),
        (NotFound("no"), False),
        (Conflict("no"), False),
        (Unavailable("later"), True),
        (ZeroDivisionError("no"), True),
    ],
)
def test_only_errors_that_may_pass_are_retried(error, retry):
    def handler(_: JobContext) -> Outcome:
        raise error

    ending = handle(handler, CONTEXT)
    assert isinstance(ending, Failure)
    assert ending.retry is retry


def test_an_unforeseen_error_tells_where_and_keeps_secrets():
    def handler(_: JobContext) -> Outcome:
        raise ValueError("hunter22 at postgresql://me:pa55word@db/x with Bearer abc.def")

    ending = handle(handler, CONTEXT, secrets=["hunter22"])
    assert isinstance(ending, Failure)
    assert "ValueError: *** at" in ending.error
    assert "test_jobs_model.py:" in ending.error
    for secret in ("hunter22", "pa55word", "abc.def"):
        assert secret not in ending.error


@pytest.mark.parametrize("wrong", [None, {"n": 1}, Outcome(result={"n": float("inf")}), Outcome(result={"n": {1}})])
def test_what_is_not_an_outcome_or_not_json_fails_for_good(wrong):
    ending = handle(lambda _: wrong, CONTEXT)
    assert isinstance(ending, Failure)
    assert not ending.retry


def test_a_result_arrives_as_plain_data():
    ending = handle(lambda _: Outcome(result={"state": JobState.FAILED, "pair": (1, 2)}), CONTEXT)
    assert isinstance(ending, Outcome)
    assert ending.result == {"state": "FAILED", "pair": [1, 2]}
    assert type(ending.result["state"]) is str


def test_thread_counts_reach_the_child_by_its_environment():
    environment = child_environment(3)
    assert {environment[name] for name in THREAD_COUNTS} == {"3"}
