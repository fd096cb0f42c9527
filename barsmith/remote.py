"""What the pipeline commands share: find the running services, ask them, and watch a job until it ends."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barsmith import folder
from barsmith.environment import url_variable
from barsmith.house import SERVICES

if TYPE_CHECKING:
    from shared.web.client import ServiceClient

_ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
_POLL_SECONDS = 0.25
_WIDEST_CELL = 100
#: characters of a whole fingerprint, and of what a table shows of it
_FINGERPRINT, _SHOWN = 64, 12
_PAGE = 500
#: how long a service may be away while its job is watched; the supervisor brings it back sooner
_PATIENCE_SECONDS = 30.0


class House:
    """The services that the environment names, else those of the stack that runs on `home`.

    Never the default ports unasked: another user's stack may be what listens there.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        noted = (folder.running_stack(home) or {}).get("urls", {})
        named = {name: os.environ.get(url_variable(name)) or noted.get(name) for name in SERVICES}
        self.urls = {name: url for name, url in named.items() if url}

    def get(self, service: str, path: str, **params: Any) -> Any:
        """GET JSON; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.get(path, **params)

    def download(self, service: str, path: str, **params: Any) -> bytes:
        """GET a file; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.download(path, **params)

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST JSON; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.post(path, json=body)

    def put(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        """PUT JSON; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.put(path, body)

    def delete(self, service: str, path: str) -> None:
        """DELETE; raises the service's error with its own words."""
        with self._client(service) as client:
            client.delete(path)

    def upload(self, service: str, path: str, file: Path, **fields: str) -> Any:
        """POST a file as a form would; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.upload(path, file.name, file.read_bytes(), **fields)

    def send(self, service: str, path: str, body: bytes, **params: str) -> Any:
        """POST a file's bytes and return the JSON answer; raises the service's error with its own words."""
        with self._client(service) as client:
            return client.post_bytes(path, body, **params)

    def _client(self, service: str) -> ServiceClient:
        from shared.errors import Unavailable
        from shared.web.client import ServiceClient

        if service not in self.urls:
            state = "is still starting" if folder.is_held(self._home) else "does not run"
            raise Unavailable(
                f"the stack on {self._home} {state}: start it with barsmith up, name its folder with --home,"
                f" or another machine's {service} service with {url_variable(service)}"
            )
        return ServiceClient(service, self.urls[service])

    def model(self, name: str) -> str:
        """Return the fingerprint of the one model whose fingerprint begins with `name`, as tables print it.

        Raises NotFound when none does, InvalidInput when several do.
        """
        from shared.errors import InvalidInput, NotFound

        if len(name) == _FINGERPRINT:
            return name
        found, page, total = [], 0, 1
        while page * _PAGE < total:
            page += 1
            answer = self.get("training", "/models", page=page, per_page=_PAGE)
            total = answer["total"]
            found += [one["fingerprint"] for one in answer["items"] if one["fingerprint"].startswith(name)]
        if not found:
            raise NotFound(f"no model's fingerprint begins with {name!r}: barsmith train models lists them")
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} models' fingerprints begin with {name!r}: give more of it")
        return found[0]

    def run(self, service: str, path: str, body: Mapping[str, Any], progress: Progress) -> list[dict[str, Any]]:
        """POST a piece of work and watch its jobs to the end; return the finished jobs in order."""
        return self.follow(service, job_ids(self.post(service, path, body)), progress)

    def follow(self, service: str, ids: Sequence[int], progress: Progress) -> list[dict[str, Any]]:
        """Watch jobs until all ended; raise click's error naming the first that failed."""

        def look() -> dict[str, Any]:
            return _together([self.get(service, f"/jobs/{job}") for job in ids])

        jobs = self.watch(look, lambda seen: seen["state"] in _ENDED, progress)["jobs"]
        for job in jobs:
            if job["state"] != "COMPLETED":
                reason = job.get("error") or "no reason was recorded"
                raise click.ClickException(f"job {job['id']} ({job['kind']}) {job['state'].lower()}: {reason}")
        return jobs

    def watch(
        self,
        look: Callable[[], dict[str, Any]],
        ended: Callable[[dict[str, Any]], bool],
        progress: Progress,
        every_seconds: float = _POLL_SECONDS,
    ) -> dict[str, Any]:
        """Look again and again until `ended`; a service that restarts meanwhile is waited for.

        Raises KeyboardInterrupt with words that say where the work goes on, for it does.
        """
        try:
            return self._watch(look, ended, progress, every_seconds)
        except KeyboardInterrupt:
            # every service shows all jobs
            url = next(iter(self.urls.values()))
            raise KeyboardInterrupt(f"no longer watched, the work goes on: see or cancel it at {url}/jobs") from None

    def _watch(
        self,
        look: Callable[[], dict[str, Any]],
        ended: Callable[[dict[str, Any]], bool],
        progress: Progress,
        every_seconds: float,
    ) -> dict[str, Any]:
        from shared.errors import Unavailable

        away_since: float | None = None
        while True:
            try:
                seen = look()
            except Unavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > _PATIENCE_SECONDS:
                    raise
            else:
                away_since = None
                progress.show(seen)
                if ended(seen):
                    return seen
            time.sleep(every_seconds)


class Progress:
    """Says on stderr how far a job is: one line rewritten on a terminal, a line per step elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last = ""
        self._live = sys.stderr.isatty()

    def show(self, seen: Mapping[str, Any]) -> None:
        """Take a job, or anything with `progress` (0..1), `note` and `state`."""
        fraction = float(seen.get("progress") or 0.0)
        state = str(seen.get("state") or seen.get("status") or "")
        coarse = int(fraction * 100) if self._live else int(fraction * 4) * 25
        text = f"{self._title}: {coarse:>3} %  {state.lower()}  {seen.get('note') or ''}".rstrip()
        if text == self._last:
            return
        self._last = text
        finished = state in _ENDED
        if self._live:
            click.echo(f"\r\x1b[K{text}", nl=finished, err=True)
        elif not seen.get("note") or finished or coarse:
            click.echo(text, err=True)


def job_ids(answer: Any) -> list[int]:
    """Return the ids in an answer 202: one `job_id`, or several below `jobs`, each once."""
    if isinstance(answer, Mapping) and "job_id" in answer:
        return [int(answer["job_id"])]
    jobs = answer.get("jobs", []) if isinstance(answer, Mapping) else answer
    return list(dict.fromkeys(int(job["job_id"]) for job in jobs))


def tell(value: Any, *, as_json: bool, columns: Iterable[str] = ()) -> None:
    """Print an answer: as JSON, or as a table of `columns` for people."""
    if as_json:
        click.echo(json.dumps(value, indent=1))
        return
    rows = value.get("items", [value]) if isinstance(value, Mapping) else value
    click.echo(table(rows, list(columns)))


def save(out: Path, download: Callable[[], bytes]) -> None:
    """Write what `download` returns, whole or not at all.

    Raises InvalidInput for a file that cannot be written, before anything is downloaded.
    """
    from shared.errors import InvalidInput

    part = out.with_name(f"{out.name}.part")
    try:
        try:
            with part.open("wb") as file:
                file.write(download())
            part.replace(out)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written ({error.strerror}): name a file in a folder of yours") from error


def table(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> str:
    """Return rows as aligned text; a dotted column reaches into nested objects."""
    rows = list(rows)
    if not rows:
        return "(none)"
    columns = columns or [name for name, value in rows[0].items() if not isinstance(value, dict | list)]
    cells = [[column.rpartition(".")[2] for column in columns]]
    cells += [[_cell(_reach(row, column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _together(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several jobs as one: the mean progress, the note of one that runs, ended when all are."""
    running = [job for job in jobs if job["state"] not in _ENDED]
    fraction = sum(1.0 if job["state"] in _ENDED else float(job.get("progress") or 0) for job in jobs) / len(jobs)
    notes = [job["note"] for job in running if job.get("note")]
    states = {job["state"] for job in jobs}
    if running:
        state = "RUNNING" if "RUNNING" in states or len(running) < len(jobs) else "PENDING"
    else:
        state = "COMPLETED" if states == {"COMPLETED"} else "FAILED"
    return {"state": state, "progress": fraction, "note": notes[0] if notes else "", "jobs": jobs}


def _reach(row: Any, column: str) -> Any:
    for part in column.split("."):
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        # prices to the cent and volumes in full; figures below a hundred to four digits
        return f"{value:,.2f}".removesuffix(".00") if abs(value) >= 100 else f"{value:.4g}"
    if isinstance(value, str) and len(value) == _FINGERPRINT and set(value) <= set("0123456789abcdef"):
        return value[:_SHOWN]
    return str(value)[:_WIDEST_CELL]
