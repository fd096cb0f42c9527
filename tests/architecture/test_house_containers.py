"""The container files, as far as they can be checked without a container engine."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from barsmith.house import SERVICES
from shared.contracts.kinds import JobKind
from shared.settings import SERVICE_PORTS

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILES = sorted([ROOT / "Dockerfile.base", *ROOT.glob("*/Dockerfile")])
COMPUTE = {"ingestion", "features", "training", "simulation"}


def tool(name, *arguments):
    run = subprocess.run(
        [Path(sys.executable).with_name(name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_compose_file_is_valid():
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_dockerfiles_pass_hadolint():
    tool("hadolint", *DOCKERFILES)


def test_compose_runs_the_whole_house():
    services = COMPOSE["services"]
    assert {"postgres", *SERVICES} <= set(services)
    assert {f"{name}-worker" for name in COMPUTE} <= set(services)
    for name, port in SERVICE_PORTS.items():
        assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    for name in ("postgres", *SERVICES):
        assert "healthcheck" in services[name], name


def test_workers_can_be_scaled():
    for name, service in COMPOSE["services"].items():
        if name.endswith("worker"):
            assert "container_name" not in service, f"{name}: a fixed name forbids --scale"
            assert "ports" not in service, f"{name}: a fixed port forbids --scale"


def test_data_lives_in_named_volumes():
    named = set(COMPOSE["volumes"])
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in named, volume


def test_no_secret_is_baked_in():
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|KEY", variable):
                assert re.fullmatch(r"\$\{\w+(:[?-][^}]*)?\}", str(value)), f"{name}: {variable} holds a value"
    for dockerfile in DOCKERFILES:
        assert not re.search("(PASSWORD|TOKEN|SECRET)=", dockerfile.read_text(encoding="utf-8"))


def test_images_do_not_run_as_root():
    base = (ROOT / "Dockerfile.base").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\S+)", base, flags=re.MULTILINE)[-1] == "10001:10001"
    for dockerfile in DOCKERFILES[1:]:
        assert not re.search("^USER root", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_image_is_set_up_by_the_tested_target():
    base = (ROOT / "Dockerfile.base").read_text(encoding="utf-8")
    # dependencies before the code, so that a change of code does not install them again
    steps = ["COPY Makefile requirements", "RUN make setup-locked", "COPY barsmith", "RUN make setup-runtime"]
    assert [base.index(step) for step in steps] == sorted(base.index(step) for step in steps)


def test_every_job_kind_has_exactly_one_crew_of_workers():
    crews = [service["command"] for name, service in COMPOSE["services"].items() if name.endswith("worker")]
    assert all(command[:2] == ["worker", "--kinds"] for command in crews)
    kinds = [kind for command in crews for kind in command[2].split(",")]
    assert sorted(kinds) == sorted(JobKind)
