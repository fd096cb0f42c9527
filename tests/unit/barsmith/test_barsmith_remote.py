"""Tables for people, and several jobs seen as one."""

import pytest

from barsmith.remote import _together, job_ids, save, table
from shared.errors import InvalidInput, NotFound


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


def test_numbers_are_written_as_people_write_them():
    row = {"close": 451.2345, "volume": 554_700.0, "shares": 1_234_567.5, "sqn": 0.123456, "low": -2_500.0}
    assert table([row], list(row)).splitlines()[1].split() == ["451.23", "554,700", "1,234,567.50", "0.1235", "-2,500"]


def test_a_file_is_saved_whole_or_not_at_all(tmp_path):
    def download() -> bytes:
        raise NotFound("there are no bars of NOPE")

    def unasked() -> bytes:
        raise AssertionError("the folder is looked at first")

    save(tmp_path / "x.csv", lambda: b"bars")
    with pytest.raises(NotFound):
        save(tmp_path / "x.csv", download)
    for out in (tmp_path / "nowhere" / "x.csv", tmp_path / "x.csv" / "y.csv"):
        with pytest.raises(InvalidInput, match=r"cannot be written \(.*: name a file in a folder"):
            save(out, unasked)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("x.csv", b"bars")]


def test_no_rows_are_said():
    assert table([], ["id"]) == "(none)"
