"""Asking a provider over HTTP: slow before its limit, wait when told, give up in words, never knock when refused."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ingestion_service.domain.sources import NotOffered, Refused
from ingestion_service.store.retry import Budget, RetryPolicy
from shared.clock import Clock
from shared.errors import InvalidInput, Unavailable
from shared.logs import HIDDEN

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: After a refusal the provider is left alone for so long, so that no account is locked for knocking.
LEAVE_ALONE_S = 600.0
#: How a provider says that the key is good and the plan is not.
_PLAN = re.compile(r"\b(subscription|plan|not entitled|not authorized to (view|access))\b", re.IGNORECASE)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say in words what a client library says by falling over an answer that it does not understand."""
    try:
        yield
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name}: its answer could not be read ({type(error).__name__}: {str(error)[:200]}); GET /drift may say why"
        ) from error


class NoAnswer(Exception):
    """The connection broke, timed out, or brought something unreadable."""


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An HTTP answer. `value` is the client library's own, `said` the provider's message when it is an error."""

    status: int
    headers: Mapping[str, str]
    value: T
    said: Callable[[], str] = lambda: ""


@dataclass
class Patience:
    """How one process asks one provider. `hint` names the settings to check when it refuses or is silent.

    `secrets` are hidden where the provider repeats them in its own words, which are stored and shown.
    """

    where: str
    hint: str
    clock: Clock
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    pause: Callable[[float], None] = time.sleep
    secrets: Sequence[str] = field(default=(), repr=False)
    requests: int = 0
    _chance: random.Random = field(default_factory=random.Random)
    _budget: Budget = field(default_factory=Budget)
    _refused: tuple[float, str] | None = None

    def ask(self, once: Callable[[], Reply[T]]) -> Reply[T]:
        """Do `once` until it gives a good answer, as often as the policy allows.

        Raises Refused, NotOffered, InvalidInput or Unavailable, as `MarketDataSource.bars` does.
        """
        self._leave_alone()
        trouble, headers, silent, attempt = "", dict[str, str](), 0, 0
        for attempt in range(1, self.policy.attempts + 1):
            if attempt > 1:
                self._wait(self.policy.wait_s(attempt - 1, headers, self.clock.now(), self._chance), trouble)
            elif (slower := self._budget.wait_s(self.clock.now(), self.policy.longest_obeyed_s)) > 0:
                self._wait(slower, "close to the provider's limit")
            headers = {}
            try:
                self.requests += 1
                reply = once()
            except NoAnswer as error:
                trouble, silent = str(error), silent + 1
                if silent == self.policy.silent_attempts:
                    break
                continue
            headers = dict(reply.headers)
            self._budget = Budget.read(headers)
            if reply.status < 400:
                return reply
            trouble = self._judged(reply)
        raise Unavailable(
            f"{self.where}: {trouble}, {attempt} times in a row: check {self.hint} and that it runs; "
            "what was fetched so far is kept"
        )

    def _judged(self, reply: Reply[T]) -> str:
        """Return what is wrong when asking again may help; raise when it cannot."""
        said = f"{reply.status} {self.without_secrets(reply.said())[:200]}".strip()
        if reply.status in (401, 403):
            if _PLAN.search(said):
                raise NotOffered(f"{self.where} does not offer this to the key it was shown ({said})")
            self._refused = (self.clock.monotonic(), said)
            raise Refused(f"{self.where} refused the credentials ({said}): check {self.hint}")
        if not self.policy.retries(reply.status):
            if reply.status == 404 or "symbol" in said.lower() or "ticker" in said.lower():
                raise NotOffered(f"{self.where} does not know this symbol, or has nothing at this address ({said})")
            raise InvalidInput(f"{self.where} refused the request ({said})")
        return said

    def without_secrets(self, text: str) -> str:
        """Return a provider's own words to store or show."""
        for secret in filter(None, self.secrets):
            text = text.replace(secret, HIDDEN)
        return text

    def _leave_alone(self) -> None:
        if self._refused is None:
            return
        since, said = self._refused
        left = LEAVE_ALONE_S - (self.clock.monotonic() - since)
        if left > 0:
            raise Refused(
                f"{self.where} refused the credentials ({said}) and is left alone for {left / 60:.0f} more minutes, "
                f"so that the account is not locked: correct {self.hint} and restart"
            )
        self._refused = None

    def _wait(self, seconds: float, why: str) -> None:
        _log.info(
            "provider asked later",
            extra={"action": "provider_wait", "provider": self.where, "why": why, "wait_s": round(seconds, 2)},
        )
        self.pause(seconds)
