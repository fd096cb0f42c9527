"""`barsmith up`: starts the whole house, keeps it running, stops it, and comes back after being killed."""

import os
import signal
import subprocess
import sys

import httpx
import pytest
from house_ports import house_offset
from running_house import House, processes_of, running_house

from barsmith.demo.background import background
from shared.testing.waiting import eventually


def up(home, offset):
    return subprocess.run(
        [sys.executable, "-m", "barsmith", "up", "--home", home, "--port-offset", str(offset)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_service_is_ready_and_has_a_page(house):
    for name, url in house.urls.items():
        assert house.get(name, "/readyz")["status"] == "ready"
        page = httpx.get(url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=30)
        assert page.status_code == 200, f"{name}: {page.text[:300]}"
        assert "<title>" in page.text


def test_the_doctor_finds_nothing_wrong(house):
    findings = house.told("doctor")
    wrong = [finding for finding in findings if finding["verdict"] == "fail"]
    assert not wrong
    seen = {finding["check"]: finding["seen"] for finding in findings}
    assert seen["workers"].startswith("3 alive")  # two, and the live updater's
    assert "up to date" in seen["migrations"]


def test_a_second_supervisor_on_the_folder_is_refused(house):
    run = up(house.home, 30_000)
    assert run.returncode == 1
    assert f"process {house.pid}) already runs on {house.home}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_busy_port_is_named_with_the_remedy(house, tmp_path):
    port = int(house.urls["ingestion"].rpartition(":")[2])
    run = up(tmp_path / "other", port - 8000)
    assert run.returncode == 1
    assert f"port {port} (ingestion) is taken by process" in run.stderr
    assert "--port-offset" in run.stderr


def test_secrets_are_private(house):
    for name in ("worker-token", "stack.json"):
        assert (house.home / name).stat().st_mode & 0o077 == 0


def test_the_job_transport_wants_the_token(house):
    url = f"{house.urls['orchestrator']}/jobs/claim"
    assert httpx.post(url, json={}, timeout=30).status_code in {401, 403}


def test_one_more_worker_joins_a_stack_by_its_folder_alone(house):
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL" and "_URL" not in name}
    command = [sys.executable, "-m", "barsmith", "worker", "--home", house.home, "--id", "extra"]
    with subprocess.Popen([*command, "--kinds", "ingestion.ingest"], env=env) as worker:
        try:
            eventually(
                lambda: any(one["id"] == "extra" and not one["lost"] for one in house.get("ingestion", "/workers")),
                timeout=30,
                what="the worker is there",
            )
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0


@pytest.mark.parametrize("victim", ["training", "worker-1", "postgres"])
def test_what_is_killed_comes_back(house, kill, victim):
    log = house.home / "up.log"
    before = log.read_text(encoding="utf-8")
    current = house.told("doctor")
    assert not [finding for finding in current if finding["verdict"] == "fail"]
    pid = next(pid for pid, command in house.processes().items() if is_victim(house, pid, command, victim))
    kill(pid)
    eventually(
        lambda: "starting it again" in log.read_text(encoding="utf-8")[len(before) :], timeout=30, what="the restart"
    )

    def well():
        run = subprocess.run(
            [sys.executable, "-m", "barsmith", "doctor", "--home", house.home], capture_output=True, check=False
        )
        return run.returncode == 0

    eventually(well, timeout=60, what="the doctor finds nothing wrong again")


def is_victim(house, pid, command, victim):
    if victim == "postgres":
        return "bin/postgres -D" in command
    if victim.startswith("worker"):
        return pid == house.note["children"][victim]
    return f"{victim}_service.app" in command


def test_a_killed_supervisor_takes_everything_along_and_the_next_up_recovers(tmp_path, kill):
    home = tmp_path / "home"
    with background(home, workers=1, port_offset=house_offset()) as pid:
        first = House(home, pid)
        assert len(first.processes()) >= 9
        kill(pid)
        eventually(lambda: not processes_of(home), timeout=30, what="everything is gone")
    with running_house(home, workers=1) as second:
        second.barsmith("doctor")
        os.kill(second.pid, signal.SIGINT)
        eventually(lambda: not processes_of(home), timeout=40, what="Ctrl-C stops everything")
    assert "barsmith: stopped" in (home / "up.log").read_text(encoding="utf-8")
