"""What children are told, and what the port offset moves."""

import pytest

from barsmith import environment, stack
from shared.settings import EXCHANGE_PORT, SERVICE_PORTS


def made(environ, offset=0):
    return environment.child_environment(
        home="/data", database_url="postgresql://here", token="drawn", port_offset=offset, environ=environ
    )


def test_an_offset_shifts_every_port():
    told = made({}, offset=1000)
    for name, port in SERVICE_PORTS.items():
        assert told[environment.url_variable(name)] == f"http://127.0.0.1:{port + 1000}"
    assert told["ALPACA_API_BASE_URL"] == f"http://127.0.0.1:{EXCHANGE_PORT + 1000}"


def test_what_the_user_set_stays():
    told = made({"BARSMITH_TRAINING_URL": "http://elsewhere:1/", "ALPACA_API_BASE_URL": "https://x", "HOME": "/h"})
    assert told["BARSMITH_TRAINING_URL"] == "http://elsewhere:1"
    assert told["ALPACA_API_BASE_URL"] == "https://x"
    assert told["HOME"] == "/h"


def test_an_empty_address_counts_as_none():
    told = made({"BARSMITH_TRAINING_URL": "", "ALPACA_API_BASE_URL": ""})
    assert told["BARSMITH_TRAINING_URL"] == f"http://127.0.0.1:{SERVICE_PORTS['training']}"
    assert told["ALPACA_API_BASE_URL"] == f"http://127.0.0.1:{EXCHANGE_PORT}"


def test_database_home_and_token_are_the_supervisors():
    told = made({"DATABASE_URL": "postgresql://old", "BARSMITH_HOME": "/old", "BARSMITH_WORKER_TOKEN": "old"})
    assert (told["DATABASE_URL"], told["BARSMITH_HOME"]) == ("postgresql://here", "/data")
    assert told["BARSMITH_WORKER_TOKEN"] == "drawn"


def test_a_worker_keeps_to_its_threads():
    limits = environment.one_worker({"BARSMITH_THREADS": "3"})
    assert limits["OMP_NUM_THREADS"] == limits["POLARS_MAX_THREADS"] == limits["BARSMITH_THREADS"] == "3"
    assert environment.one_worker({})["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("address", "wanted"),
    [(None, True), ("", True), ("http://127.0.0.1:8900", True), ("http://127.0.0.1:8900/", True), ("https://x", False)],
)
def test_the_simulated_exchange_runs_unless_another_is_named(address, wanted):
    assert stack.wants_exchange(0, {} if address is None else {"ALPACA_API_BASE_URL": address}) is wanted


def test_workers_are_stopped_before_services_and_services_before_the_exchange():
    groups = stack.plan(made({}), workers=3, port_offset=0)
    assert [[spec.name for spec in group] for group in groups] == [
        ["exchange"],
        list(SERVICE_PORTS),
        ["worker-1", "worker-2", "worker-3", "worker-live"],
    ]


def test_real_credentials_reach_only_the_real_exchange():
    keys = {"ALPACA_KEY_ID": "real", "ALPACA_SECRET_KEY": "real-secret", "ALPACA_API_KEY_ID": "real"}
    simulated = made(keys)
    assert not [name for name in simulated if name in keys]
    assert simulated["ALPACA_API_BASE_URL"] == environment.exchange_address()
    there = {"ALPACA_API_BASE_URL": "https://data.alpaca.markets"}
    assert {**keys, **there}.items() <= made({**keys, **there}).items()
