"""Corporate actions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import Body, Depends

from ingestion_service.domain.actions import Kind
from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.providers import AskForActions
from ingestion_service.schemas.quality import ImportFactors, NewAction
from ingestion_service.use_cases import ActionIntake, Actions
from ingestion_service.use_cases.actions import Action
from shared.web.accepted import Accepted, accepted
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router()

ActionIntakeDep = Annotated[ActionIntake, Depends(provided(ActionIntake))]
ActionsDep = Annotated[Actions, Depends(provided(Actions))]


@router.get("/actions/{symbol}")
def list_actions(symbol: str, actions: ActionsDep, sort: Literal["ex_date", "-ex_date"] = "ex_date") -> list[Action]:
    found = actions.of(read_symbol(symbol))
    return found[::-1] if sort == "-ex_date" else found


@router.post("/actions/import")
def import_factor_files(body: ImportFactors, actions: ActionsDep) -> dict[str, int]:
    """Take splits and dividends from LEAN factor files of this machine; the answer counts them by symbol."""
    return actions.import_factors(body.path, body.glob)


@router.post("/actions/{symbol}/fetch", status_code=202)
def fetch_actions(symbol: str, body: AskForActions, intake: ActionIntakeDep) -> Accepted:
    """Ask the providers for splits, dividends and renames with an ex-date in [start, end)."""
    return accepted(intake.submit(body.request(read_symbol(symbol))))


@router.post("/actions/{symbol}")
def add_actions(
    symbol: str, body: Annotated[list[NewAction], Body(min_length=1, max_length=1_000)], actions: ActionsDep
) -> list[Action]:
    return actions.add(read_symbol(symbol), [one.action() for one in body])


@router.delete("/actions/{symbol}/{kind}/{ex_date}", status_code=204)
def remove_action(symbol: str, kind: Kind, ex_date: date, actions: ActionsDep) -> None:
    actions.remove(read_symbol(symbol), kind, ex_date)
