"""Agents: their state, start, pause and stop; and what retention would remove."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends

from ingestion_service.domain.agents import RetentionRules
from ingestion_service.schemas.agents import RetentionAnswer, StartAgent
from ingestion_service.use_cases import Agents, Retention
from ingestion_service.use_cases.agents import AgentState
from shared.web.known import strict_router
from shared.web.parts import provided

router = strict_router(tags=["agents"])

AgentsDep = Annotated[Agents, Depends(provided(Agents))]
RetentionDep = Annotated[Retention, Depends(provided(Retention))]


@router.get("/agents")
def list_agents(agents: AgentsDep) -> list[AgentState]:
    return agents.all()


@router.get("/agents/{name}")
def show_agent(name: str, agents: AgentsDep) -> AgentState:
    return agents.one(name)


@router.post("/agents/{name}/start", status_code=202)
def start_agent(name: str, agents: AgentsDep, body: StartAgent | None = None) -> AgentState:
    """Run it now, and again as often as it does; one that runs already goes on."""
    return agents.start(name, body.options if body else None)


@router.post("/agents/{name}/pause", status_code=202)
def pause_agent(name: str, agents: AgentsDep) -> AgentState:
    """Let its run end at the next step; start it again to go on from there."""
    return agents.pause(name)


@router.post("/agents/{name}/stop", status_code=202)
def stop_agent(name: str, agents: AgentsDep) -> AgentState:
    """Call its run off at once."""
    return agents.stop(name)


@router.put("/agents/{name}/options")
def set_agent_options(name: str, options: dict[str, Any], agents: AgentsDep) -> AgentState:
    return agents.set_options(name, options)


@router.get("/retention")
def show_retention(retention: RetentionDep) -> RetentionAnswer:
    """Show the rules and what a run would remove now: a dry run."""
    return RetentionAnswer(rules=retention.rules(), would_remove=retention.preview())


@router.put("/retention")
def set_retention(rules: RetentionRules, retention: RetentionDep) -> RetentionAnswer:
    retention.set_rules(rules)
    return RetentionAnswer(rules=rules, would_remove=retention.preview(rules))


@router.post("/retention/preview")
def preview_retention(rules: RetentionRules, retention: RetentionDep) -> RetentionAnswer:
    """Show what these rules would remove, without setting them."""
    return RetentionAnswer(rules=rules, would_remove=retention.preview(rules))
