"""Agents and how ingestion is doing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from ingestion_service.domain.agents import OPTIONS, RetentionRules, agent_kind
from ingestion_service.schemas.agents import RetentionForm
from ingestion_service.use_cases import Agents, Monitoring, Retention
from shared.contracts.messages import Message
from shared.errors import InvalidInput
from shared.jobs.queue import Queue
from shared.web.formats import number, utc_text
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.parts import provided

router = page_router()

AgentsDep = Annotated[Agents, Depends(provided(Agents))]
MonitoringDep = Annotated[Monitoring, Depends(provided(Monitoring))]
RetentionDep = Annotated[Retention, Depends(provided(Retention))]
QueueDep = Annotated[Queue, Depends(provided(Queue))]

#: runs an agent's page shows
_NEWEST = 10


def run_words(result: Mapping[str, object]) -> str:
    """Say what a run did: `symbols 14, with gaps 5`. What is nothing, and failures by symbol, are left out."""
    parts = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in result.items() if _tells(value)]
    return ", ".join(parts) or "nothing to do"


def _tells(value: object) -> bool:
    return bool(value) and not isinstance(value, Mapping)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int | float):
        return number(value, 0)
    try:
        return f"{utc_text(datetime.fromisoformat(str(value)))} UTC"
    except ValueError:
        return str(value)


class AgentsPage:
    """The page, also when it is shown again with rules that were not right."""

    def __init__(self, request: Request, monitoring: MonitoringDep, retention: RetentionDep) -> None:
        self._request, self._monitoring, self._retention = request, monitoring, retention

    def render(self, form: Form[RetentionForm] | None = None) -> Response:
        rules = self._retention.rules()
        return render(
            self._request,
            "agents.html",
            status=422 if form else 200,
            agents=(agents := self._monitoring.agents()),
            did={agent.name: run_words(agent.last_result or {}) for agent in agents},
            errors=self._monitoring.errors(),
            rules=rules,
            going=self._retention.preview(rules),
            kept=RetentionForm.written(rules),
            retention_form=form,
        )


AgentsPageDep = Annotated[AgentsPage, Depends()]


@router.get("/agents")
def agents_page(page: AgentsPageDep) -> Response:
    return page.render()


class AgentPage:
    """The page of one agent, also when it is shown again with options that were not right."""

    def __init__(self, request: Request, agents: AgentsDep, queue: QueueDep) -> None:
        self._request, self._agents, self._queue = request, agents, queue

    def render(self, name: str, form: Form[Message] | None = None) -> Response:
        agent, kind = self._agents.one(name), agent_kind(name).kind
        return render(
            self._request,
            "agent.html",
            status=422 if form else 200,
            agent=agent,
            kind=kind,
            did=run_words(agent.last_result or {}) if agent.last_ended_at else "",
            # the rules of retention have a form of their own
            fields={} if OPTIONS[name] is RetentionRules else OPTIONS[name].model_fields,
            runs=self._queue.newest([kind], _NEWEST),
            form=form,
        )


AgentPageDep = Annotated[AgentPage, Depends()]


@router.get("/agents/{name}")
def agent_page(name: str, page: AgentPageDep) -> Response:
    return page.render(name)


@router.post("/agents/{name}/options")
def set_agent_options(name: str, submitted: SubmittedForm, agents: AgentsDep, page: AgentPageDep) -> Response:
    """Set the options, or show what is wrong with them."""
    agent_kind(name)
    form = check_form(OPTIONS[name], submitted)
    if form.data is None:
        return page.render(name, form)
    agents.set_options(name, form.data.model_dump())
    return redirect_after_post(f"/agents/{name}")


@router.post("/agents/{name}/{verb}")
def tell_agent(name: str, verb: Literal["start", "pause", "stop"], agents: AgentsDep) -> Response:
    """Start, pause or stop an agent and show all."""
    {"start": agents.start, "pause": agents.pause, "stop": agents.stop}[verb](name)
    return redirect_after_post("/agents")


@router.post("/retention")
def set_retention(submitted: SubmittedForm, retention: RetentionDep, page: AgentsPageDep) -> Response:
    """Set the rules, or show what is wrong with them."""
    form = check_form(RetentionForm, submitted)
    if form.data is None:
        return page.render(form)
    try:
        retention.set_rules(form.data.rules())
    except InvalidInput as error:
        return page.render(with_error(form, "datasets", str(error)))
    return redirect_after_post("/agents#retention")


@router.get("/monitoring")
def monitoring_page(request: Request, monitoring: MonitoringDep) -> Response:
    """Errors, lag and the disk."""
    return render(request, "monitoring.html", seen=monitoring.overview())
