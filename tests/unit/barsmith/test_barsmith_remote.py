"""Tables for people, and several jobs seen as one."""

from barsmith.remote import _together, job_ids, table


def job(number, state, progress=0.0, note=""):
    return {"id": number, "state": state, "progress": progress, "note": note}


def test_both_answers_of_202_are_understood():
    assert job_ids({"job_id": 3, "link": "/jobs/3"}) == [3]
    assert job_ids({"jobs": [{"symbol": "A", "job_id": 4}, {"symbol": "B", "job_id": 5}]}) == [4, 5]


def test_jobs_together_are_done_when_all_are():
    seen = _together([job(1, "COMPLETED", 1), job(2, "RUNNING", 0.5, "half")])
    assert (seen["state"], seen["progress"], seen["note"]) == ("RUNNING", 0.75, "half")
    assert _together([job(1, "COMPLETED"), job(2, "COMPLETED")])["state"] == "COMPLETED"
    assert _together([job(1, "COMPLETED"), job(2, "CANCELLED")])["state"] == "FAILED"
    assert _together([job(1, "PENDING"), job(2, "PENDING")])["state"] == "PENDING"


def test_a_table_reaches_into_objects_and_shortens_names():
    text = table([{"id": "ab" * 32, "metrics": {"sqn": 1.23456}}, {"id": "x", "metrics": None}], ["id", "metrics.sqn"])
    assert text.splitlines() == ["id            sqn", "abababababab  1.235", "x             -"]


def test_no_rows_are_said():
    assert table([], ["id"]) == "(none)"
