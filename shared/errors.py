"""What can go wrong, in words a user can act on. No HTTP in here: `shared.web.errors` maps each to a status.

* BarsmithError
  + NotFound       the named thing does not exist
  + Conflict       it exists, but its state forbids what was asked
  + InvalidInput   well-formed, but wrong: says the value and what would be right
  + Unavailable    something this depends on does not answer now; trying again later may work
"""

from __future__ import annotations


class BarsmithError(Exception):
    """Base of every error that is meant to be read by a user. Its message is the whole explanation."""

    @property
    def detail(self) -> str:
        return str(self)


class NotFound(BarsmithError):
    """The named thing does not exist."""


class Conflict(BarsmithError):
    """The thing exists, but its present state forbids what was asked."""


class InvalidInput(BarsmithError):
    """The request is well-formed but wrong. Never retried: the same input fails the same way."""


class Unavailable(BarsmithError):
    """A dependency (database, service, provider) does not answer now. Safe to try again."""
