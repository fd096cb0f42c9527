"""The jobs of a batch, none of which waits for another.

1. `optimization.batch` submits the predictions that are missing, as a group whose continuation is
2. `optimization.sweep`: chooses the next round's points and submits their simulations, as a group that leads to
3. `optimization.rank`: collects what the simulations found; its effect writes the rows, and 2 follows for the next
   round until the search is over.

A round follows from the rows alone, so whichever worker takes a step, after whatever happened, finds the same.
Trials that failed on the way are rows without figures, their pair has the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimization_service.domain.batch import Batch
from optimization_service.domain.figures import plateaus
from optimization_service.domain.records import Score
from optimization_service.domain.search import Told, is_over, next_trials
from optimization_service.store import Registry, Series
from optimization_service.use_cases.studies import figures_of
from shared.contracts.identifiers import fingerprint
from shared.contracts.kinds import JobKind
from shared.contracts.messages import Sweep
from shared.jobs.model import Group, Job, JobState, Outcome, Submission
from shared.jobs.queue import Queue

Json = dict[str, Any]


class Rounds:
    def __init__(self, registry: Registry, series: Series, queue: Queue) -> None:
        self._registry = registry
        self._series = series
        self._queue = queue

    def predict_missing(self, name: str, priority: float) -> Outcome:
        """Submit the predictions the batch lacks, leading to its first round."""
        batch = self._registry.definition(name)
        jobs = [
            Submission(kind=JobKind.PREDICT, payload=pair.prediction().model_dump(mode="json"), priority=priority)
            for pair in batch.pairs
            if self._series.lacks_predictions(pair)
        ]
        then = Submission(kind=JobKind.BATCH_SWEEP, payload={"batch": name}, priority=priority)
        return Outcome(result={"batch": name, "predictions": len(jobs)}, submit=[Group(jobs=jobs, continuation=then)])

    def simulate_next(self, payload: Mapping[str, Any], priority: float) -> Outcome:
        """Submit the next round's simulations, leading to its ranking; pairs whose prediction failed have none."""
        name = str(payload["batch"])
        batch = self._registry.definition(name)
        known = payload.get("unpredicted")
        unpredicted = _by_pair(known) if known is not None else self._unpredicted(batch, int(payload["group_id"]))
        broken = {*unpredicted, *self._registry.broken(name)}
        trials = next_trials(batch.search, batch.space, self._told(name, batch), broken)
        jobs = [
            _submission(sweep, priority)
            for pair, _, sweep in batch.sweeps([point for _, point in trials])
            if pair not in unpredicted
        ]
        then = Submission(
            kind=JobKind.BATCH_RANK,
            payload={"batch": name, "trials": trials, "unpredicted": unpredicted},
            priority=priority,
        )
        result = {"batch": name, "trials": len(trials), "sweeps": len(jobs)}
        return Outcome(result=result, submit=[Group(jobs=jobs, continuation=then)])

    def rank(self, payload: Mapping[str, Any], priority: float) -> Outcome:
        """Collect a round: each trial with its figures or without, the plateaus after the last, and the next round."""
        name = str(payload["batch"])
        batch = self._registry.definition(name)
        numbers = {int(point): int(number) for number, point in payload["trials"]}
        unpredicted = _by_pair(payload["unpredicted"])
        jobs = {_key(job.payload): job for job in self._queue.group(int(payload["group_id"]))}
        sweeps: list[Json] = []
        failed: list[Json] = []
        found: list[Score] = []
        failures = dict(unpredicted)
        for pair, points, sweep in batch.sweeps(list(numbers)):
            job = None if pair in unpredicted else jobs[_key(sweep.model_dump(mode="json"))]
            if job is not None and job.state is JobState.COMPLETED and job.result is not None:
                sweeps.append({"job": job.id, "points": points, "numbers": [numbers[point] for point in points]})
                found += _scores(numbers, points, job.result)
                continue
            failed += [{"point": point, "number": numbers[point]} for point in points]
            if job is not None:
                failures[pair] = _reason(job)
        known = self._registry.scores(name, "sharpe")
        over = is_over(batch.search, batch.space, len(known) + len(numbers), len(numbers))
        result: Json = {
            "batch": name,
            "sweeps": sweeps,
            "failed": failed,
            "failures": [{"pair": pair, "error": error} for pair, error in sorted(failures.items())],
            "plateaus": _plateaus(batch, [*known, *found]) if over else [],
            "last": over,
        }
        if over:
            return Outcome(result=result)
        then = Submission(
            kind=JobKind.BATCH_SWEEP, payload={"batch": name, "unpredicted": payload["unpredicted"]}, priority=priority
        )
        return Outcome(result=result, submit=[Group(jobs=[], continuation=then)])

    def _unpredicted(self, batch: Batch, group_id: int) -> dict[int, str]:
        broken = {
            (job.payload["model"], job.payload["symbol"]): _reason(job)
            for job in self._queue.group(group_id)
            if job.state is not JobState.COMPLETED
        }
        return {
            index: broken[pair.model, pair.symbol]
            for index, pair in enumerate(batch.pairs)
            if (pair.model, pair.symbol) in broken
        }

    def _told(self, name: str, batch: Batch) -> list[Told]:
        scores = self._registry.scores(name, batch.search.objective)
        return [Told(number=one.number, point=one.point, value=one.value, trades=one.trades) for one in scores]


def _plateaus(batch: Batch, scores: Sequence[Score]) -> list[list[float | int]]:
    """Return point, plateau and neighbours of every trial of which it can be said."""
    found = figures_of(scores)
    said = plateaus(batch.space, found)
    rows = zip(found.points.tolist(), said.score.tolist(), said.neighbours.tolist(), strict=True)
    return [[point, score, count] for point, score, count in rows if not math.isnan(score)]


def _by_pair(said: Mapping[str, str]) -> dict[int, str]:
    # the keys of a JSON object are texts
    return {int(pair): error for pair, error in said.items()}


def _scores(numbers: Mapping[int, int], points: Sequence[int], result: Mapping[str, Any]) -> list[Score]:
    return [
        Score(
            number=numbers[points[run["index"]]],
            point=points[run["index"]],
            value=run["metrics"]["sharpe"],
            trades=run["metrics"]["trades"],
        )
        for run in result["runs"]
    ]


def _submission(sweep: Sweep, priority: float) -> Submission:
    payload = sweep.model_dump(mode="json")
    return Submission(kind=JobKind.SWEEP, payload=payload, priority=priority, unique_key=_key(payload))


def _key(payload: Mapping[str, Any]) -> str:
    return f"{JobKind.SWEEP}:{fingerprint('sweep_request', **payload)}"


def _reason(job: Job) -> str:
    error = job.error or f"it was {job.state.lower()}"
    # its first line says what was wrong; where in the code is on the job's page
    return f"{job.kind} job {job.id}: {error.strip().splitlines()[0]}"
