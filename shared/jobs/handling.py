"""Running one handler, and putting what went wrong into words that may be stored."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import BarsmithError, Conflict, InvalidInput, NotFound
from shared.jobs.context import Handler, JobContext
from shared.jobs.model import Outcome, to_json
from shared.logs import HIDDEN, redact_text

#: The same input would fail the same way.
HOPELESS = (InvalidInput, NotFound, Conflict)
FRAMES = 4
LONGEST_ERROR = 4000


@dataclass(frozen=True)
class Failure:
    """Why an attempt has no outcome, and whether another one might have."""

    error: str
    retry: bool


def handle(handler: Handler, context: JobContext, secrets: Sequence[str] = ()) -> Outcome | Failure:
    """Run `handler`; its exceptions become a Failure, with `secrets` struck out of the text."""
    try:
        return _checked(handler(context))
    except Exception as error:  # noqa: BLE001 - whatever it was, the job failed with it and the worker goes on
        return failure_of(error, secrets)


def failure_of(error: Exception, secrets: Sequence[str] = ()) -> Failure:
    """Return the exception's message and, when it was not foreseen, its last frames."""
    text = str(error)
    if not isinstance(error, BarsmithError) or not text:
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        places = [f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
        text = "\n".join([f"{type(error).__name__}: {error}", *places])
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return Failure(redact_text(text)[:LONGEST_ERROR], retry=not isinstance(error, HOPELESS))


def _checked(outcome: object) -> Outcome:
    if not isinstance(outcome, Outcome):
        raise InvalidInput(f"the handler returned {type(outcome).__name__}, not an Outcome")
    # through JSON and back: what the parent process gets is plain data, whatever the handler put in
    return replace(outcome, result=json.loads(to_json("a job's result", dict(outcome.result))))
