"""Pages of a whole running house, populated from the simulated exchange, in both themes, wide and narrow.

Also what only a whole house shows: a search started by the form moves on its page without a reload.
"""

import json
import os
import subprocess
import sys

import httpx
import pytest
from house_ports import house_offset

from barsmith import folder
from barsmith.demo.background import background

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SPAN = ("--start", "2022-01-01", "--end", "2022-03-16")
#: those that a search of a whole house fills; others are checked, with more on them, in their services' own tests
PAGES = [
    "ingestion /coverage",
    "ingestion /symbols/EDGE",
    "training /",
    "training /models/{model}",
    "simulation /sweeps",
    "simulation /sweeps/{sweep}",
    "simulation /runs/{trial}",
    "orchestrator /",
    "orchestrator /runs",
    "orchestrator /runs/{run}",
    "orchestrator /promoted",
    "orchestrator /lineage/{model}",
    "optimization /",
    "optimization /batches/{batch}",
    "optimization /leaderboard",
    "optimization /workers",
]


class House:
    """A running stack and the names of what its search made."""

    def __init__(self, home):
        self.home = home
        note = folder.running_stack(home)
        assert note is not None
        self.urls = note["urls"]
        self.names = {}

    def told(self, *arguments):
        run = subprocess.run(
            [sys.executable, "-m", "barsmith", *arguments, "--json"],
            env={**os.environ, "BARSMITH_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(run.stdout)

    def place(self, page):
        """Return a page's service address and path."""
        service, path = page.split()
        return self.urls[service], path.format(**self.names)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    home = tmp_path_factory.mktemp("house")
    with background(home, workers=2, port_offset=house_offset()):
        house = House(home)
        house.told("ingest", "bars", "EDGE", "QMKT", "VOLX", *SPAN)
        house.told("features", "build", "EDGE", *SPAN)
        (run,) = house.told("evolve", "start", "EDGE", "--generations", "2", "--survivors", "1", "--horizon", "15")
        tried = [model for model in run["models"] if model["select_metrics"]]
        chosen = [argument for model in tried for argument in ("--model", model["fingerprint"])]
        window = run["periods"]["select"]["window"]
        batch = house.told(
            "optimize", "batch", *chosen, "--start", window["start"], "--end", window["end"], "--threshold", "0"
        )
        sweep = tried[0]["sweep"]
        house.names = {"run": run["id"], "model": tried[-1]["fingerprint"], "sweep": sweep, "trial": f"{sweep}-0"}
        house.names["batch"] = batch["fingerprint"]
        yield house


@pytest.mark.parametrize("page", PAGES)
def test_page_is_clean_and_light_in_both_themes_and_widths(house, visit, check_looks, check_files, page):
    tab = visit(*house.place(page))
    check_looks(tab, f"house-{page.split('{')[0].strip(' /').replace('/', '-').replace(' ', '')}")
    check_files(tab)


def test_a_search_started_by_the_form_moves_without_a_reload(house, visit):
    tab = visit(house.urls["orchestrator"], "/")
    tab.fill("#start input[name=symbols]", "EDGE")
    tab.fill("#start input[name=horizons]", "5")
    tab.fill("#start input[name=generations]", "1")
    tab.click("#start button")
    tab.wait_for_url("**/runs/*")
    tab.evaluate("window.sameDocument = true")
    generations = tab.locator("#generations-h >> xpath=ancestor::section")
    generations.locator("text=100 %").first.wait_for(timeout=60_000)
    tab.wait_for_selector(".lead .st:has-text('done')", timeout=60_000)
    assert tab.evaluate("window.sameDocument") is True


def test_queues_say_what_waits_and_what_gets_done(house, visit):
    tab = visit(house.urls["orchestrator"], "/")
    heads = tab.locator("#queues thead th").all_inner_texts()
    assert heads == ["queue", "waiting", "running", "failed", "oldest waiting", "done / min", "last hour", "done"]
    row = tab.locator("#queues tr", has_text="training.train").locator("td").all_inner_texts()
    assert row[:4] == ["0", "0", "0", "–"]
    assert int(row[-1]) >= 2


def test_marked_trades_lie_on_candles_of_the_answer(house):
    base, path = house.place("simulation /runs/{trial}")
    trades = httpx.get(f"{base}{path}/trades", timeout=30).json()
    whole = httpx.get(f"{base}{path}/candles", timeout=30).json()
    assert 0 < len(whole["time"]) <= 2_000
    assert len(whole["markers"]) == 2 * min(60, len(trades))
    assert {mark["time"] for mark in whole["markers"]} <= set(whole["time"])
    part = httpx.get(
        f"{base}{path}/candles", params={"from": whole["time"][2], "to": whole["time"][9]}, timeout=30
    ).json()
    assert part["time"][0] == whole["time"][2]
    assert part["time"][-1] < whole["time"][9]
    assert part["open"][0] == whole["open"][2]
