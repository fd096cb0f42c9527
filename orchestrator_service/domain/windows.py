"""History cut into TRAIN | purge | SELECT | embargo | CONFIRM, by counts of sessions, newest last.

CONFIRM is sealed: it takes the newest sessions, and nothing but a logged look reads it. The purge is one whole session:
no label or position lives past its session's close, so one session is at least as long as the longer of label horizon
and holding time. The embargo is one session more, for what lingers from one day to the next.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator_service.domain.plan import MIN_SESSIONS, Rules
from shared.contracts.messages import Message, Window
from shared.contracts.sessions import Sessions
from shared.errors import InvalidInput

PURGE_SESSIONS = 1
EMBARGO_SESSIONS = 1
#: sessions TRAIN should have before SELECT and CONFIRM get their full length
_TRAIN_TARGET = 240
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Period(Message):
    """A window and the number of sessions in it."""

    window: Window
    sessions: int


class Periods(Message):
    """The three disjoint parts of a run's history, in order of time."""

    train: Period
    select: Period
    confirm: Period

    def whole(self) -> Window:
        """Return the span from the first training bar to the last sealed one."""
        return Window(start=self.train.window.start, end=self.confirm.window.end)


def split_sessions(sessions: Sessions, select: int, confirm: int) -> Periods:
    """Cut `sessions` (consecutive, with data) into periods of at most `select` and `confirm` sessions.

    A history too short for both and a training period of similar length shortens all three in proportion.
    Raises InvalidInput below 24 sessions: nothing could be learnt or judged on that.
    """
    count = len(sessions)
    if count < MIN_SESSIONS:
        raise InvalidInput(
            f"{count} sessions of features are too few to search: at least {MIN_SESSIONS} are needed, "
            "about 750 for a verdict that can promote"
        )
    usable = count - PURGE_SESSIONS - EMBARGO_SESSIONS
    scale = min(1.0, usable / (_TRAIN_TARGET + select + confirm))
    confirm_size = max(1, int(confirm * scale))
    select_size = max(1, int(select * scale))
    confirm_start = count - confirm_size
    select_start = confirm_start - EMBARGO_SESSIONS - select_size
    return Periods(
        train=_period(sessions, 0, select_start - PURGE_SESSIONS),
        select=_period(sessions, select_start, confirm_start - EMBARGO_SESSIONS),
        confirm=_period(sessions, confirm_start, count),
    )


def why_not_promotable(periods: Periods, rules: Rules) -> str | None:
    """Return why no result of these periods may be promoted, or None when one may."""
    have, need = periods.confirm.sessions, rules.min_confirm_sessions
    if have >= need:
        return None
    return (
        f"the holdout is too short: {have} sessions, and at least {need} are needed to confirm anything; "
        "import more history"
    )


def _period(sessions: Sessions, first: int, stop: int) -> Period:
    start, end = int(sessions.open_us[first]), int(sessions.close_us[stop - 1])
    return Period(
        window=Window(start=_EPOCH + timedelta(microseconds=start), end=_EPOCH + timedelta(microseconds=end)),
        sessions=stop - first,
    )
