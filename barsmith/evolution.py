"""Starting searches and following them to their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barsmith.remote import House, Progress

RUNNING = "running"
#: a search takes minutes: asked less often than a job
_POLL_SECONDS = 1.0


def evolve(house: House, body: Mapping[str, Any], progress: Progress) -> list[dict[str, Any]]:
    """Start a search for each of the body's `symbols`, follow them all, and return the runs in full."""
    ids = [run["id"] for run in house.post("orchestrator", "/evolve", body)["runs"]]

    def look() -> dict[str, Any]:
        runs = [house.get("orchestrator", f"/runs/{one}") for one in ids]
        going = [run for run in runs if run["state"] == RUNNING]
        return {
            "state": "RUNNING" if going else "COMPLETED",
            "progress": sum(_fraction(run) for run in runs) / len(runs),
            "note": "; ".join(_note(run) for run in going),
            "runs": runs,
        }

    return house.watch(look, lambda seen: seen["state"] != "RUNNING", progress, _POLL_SECONDS)["runs"]


def _fraction(run: Mapping[str, Any]) -> float:
    """Return how far a run is at least: generations done, and trials done of the one that runs."""
    if run["state"] != RUNNING:
        return 1.0
    current = next((one for one in run["progress"] if one["generation"] == run["generation"]), None)
    done = 0.0
    if current and current["models"]:
        trained = (current["trained"] + current["failed"]) / current["models"]
        simulated = current["done"] / current["trials"] if current["trials"] else 0.0
        done = 0.7 * trained + 0.3 * simulated
    return min(0.99, (run["generation"] + done) / (run["generations"] + 1))


def _note(run: Mapping[str, Any]) -> str:
    return f"{run['symbol']} generation {run['generation']}, {run['stage']}, {run['funnel']['trials']} trials"
