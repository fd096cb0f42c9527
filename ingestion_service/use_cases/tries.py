"""How an agent's run goes through many symbols when some of them fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ingestion_service.domain.sources import Refused
from ingestion_service.use_cases.agents import Run
from shared.errors import InvalidInput, NotFound, Unavailable

#: So many tries in a row that got no answer end the run: the queue's next try comes after a pause.
_PATIENCE = 3


@dataclass
class Tries:
    """Symbols taken one after the other: one that fails is kept in `failed` with its reason, and the others go on."""

    run: Run
    failed: dict[str, str] = field(default_factory=dict[str, str])
    _silent: int = 0

    @contextmanager
    def of(self, symbol: str) -> Iterator[None]:
        """Try one. Raises Refused at once, and Unavailable when _PATIENCE in a row got no answer."""
        try:
            yield
        except Refused:
            raise
        except (InvalidInput, NotFound, Unavailable) as error:
            self.run.met(error)
            self.failed[symbol] = str(error)[:200]
            self._silent = self._silent + 1 if isinstance(error, Unavailable) else 0
            if self._silent >= _PATIENCE:
                raise
        else:
            self._silent = 0
