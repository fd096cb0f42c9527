"""How values read on a page: true minus, thin spaces, moments in UTC, and a dash for what is not there.

Used as Jinja filters: `{{ metrics.sharpe | number(2) }}`, `{{ run.created_at | utc }}`. None and NaN become "–".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup, escape

from shared.clock import Clock
from shared.contracts.regimes import state_words
from shared.jobs.model import Job

MISSING = "–"
MINUS = "−"
THIN = "\u202f"  # narrow no-break space: a number and its unit stay on one line
COUNT_CAP = 10_000
#: a job that may be tried so often is tried as often as it takes
_ANY_ATTEMPTS = 1_000


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)


def number(value: float | None, digits: int = 2) -> str:
    """`-1234.5` -> `−1,234.50`; what rounds to zero has no sign."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):,.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text.replace(",", "")) != 0 else text


def signed(value: float | None, digits: int = 2) -> str:
    """Like `number`, with a plus on what is above zero."""
    text = number(value, digits)
    positive = not _absent(value) and value is not None and value > 0
    return f"+{text}" if positive and any(digit in text for digit in "123456789∞") else text


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.532 -> `53.2 %`."""
    return MISSING if fraction is None or math.isnan(fraction) else f"{number(fraction * 100, digits)}{THIN}%"


def signed_percent(fraction: float | None, digits: int = 1) -> str:
    """0.421 -> `+42.1 %`."""
    return MISSING if fraction is None or math.isnan(fraction) else f"{signed(fraction * 100, digits)}{THIN}%"


def count(value: int | None) -> str:
    """Thousands separated; above ten thousand `10k+`, since nobody waits for an exact count of that."""
    if value is None:
        return MISSING
    return f"{COUNT_CAP // 1000}k+" if value > COUNT_CAP else f"{value:,}"


def utc_text(at: datetime | None, seconds: bool = False) -> str:  # noqa: FBT001, FBT002 - a filter's argument
    """`2024-02-01 07:00` in UTC where there can be no element: attributes, SVG titles, sentences of plain text."""
    if at is None:
        return MISSING
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def utc(at: datetime | None, seconds: bool = False, since: datetime | None = None) -> str:  # noqa: FBT001, FBT002
    """`2024-02-01 07:00`, which zone.mjs writes in the zone that was chosen, without the day `since` has, too.

    The name of the zone beside it is `<span data-zone>UTC</span>`, which is rewritten, too.
    """
    if at is None:
        return MISSING
    text = utc_text(at, seconds)
    attributes = Markup(' data-since="{}"').format(_iso(since)) if since else ""
    shown = text[11:] if since and day(since) == day(at) else text
    return Markup('<time datetime="{}" data-at="{}"{}>{}</time>').format(
        _iso(at), "second" if seconds else "minute", attributes, shown
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zoned(text: str) -> str:
    """Mark the `(UTC)` of a heading as the name of the zone its moments are shown in."""
    return escape(text).replace("(UTC)", Markup("(<span data-zone>UTC</span>)"))


def day(at: datetime | None) -> str:
    """`2024-02-01` in UTC."""
    return MISSING if at is None else at.astimezone(UTC).strftime("%Y-%m-%d")


def duration(span: timedelta | float | None) -> str:
    """Write a length of time in its two largest units: `3 m 12 s`, `14 m`, `2 d 4 h`."""
    if span is None:
        return MISSING
    left = round(span.total_seconds() if isinstance(span, timedelta) else span)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        whole, left = divmod(max(left, 0), size)
        if whole:
            parts.append(f"{whole}{THIN}{unit}")
        if len(parts) == 2 or (parts and not left):
            break
    return " ".join(parts) or f"0{THIN}s"


def seen(seconds: float | None) -> str:
    """Write an age in words: `4 s ago`, `4 min ago`, `2 h ago`, and from two years on `7 y ago`."""
    if seconds is None:
        return "never"
    if seconds >= 2 * 365.25 * 86_400:
        return f"{int(seconds // (365.25 * 86_400))} y ago"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


def size(octets: float | None) -> str:
    """Bytes for people: `1.2 GB`."""
    if octets is None:
        return MISSING
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= factor:
            return f"{octets / factor:.1f}{THIN}{unit}"
    return f"{octets:.0f}{THIN}B"


def toned(text: str) -> str:
    """Mark a signed number up or down, by its text: what reads as zero is neither.

    The class adds a glyph, so that colour is never alone: `{{ fold.ic | signed(4) | toned }}`.
    """
    tone = {"+": "up", MINUS: "down"}.get(text[:1])
    return Markup('<span class="{}">{}</span>').format(tone, text) if tone else text


_COSTS = {
    "fee_per_fill": "{:g} a fill",
    "fee_per_share": "{:g} a share",
    "fee_bps": "{:g} bp fee",
    "fee_minimum": "{:g} a fill at least",
    "half_spread_bps": "{:g} bp half spread",
    "slippage_bps": "{:g} bp slippage",
    "slippage_atr": "{:g} of the true range as slippage",
    "volume_impact": "volume impact {:g}",
    "participation": "at most {:g} of a bar's volume",
    "borrow_rate": "{:g} a year for shorts",
}


def costs(terms: Mapping[str, float | None] | None) -> str:
    """`{"fee_per_fill": 0.02, "half_spread_bps": 0.5}` -> `0.02 a fill, 0.5 bp half spread`; what is 0 is left out."""
    if terms is None:
        return MISSING
    return ", ".join(text.format(terms[name]) for name, text in _COSTS.items() if terms.get(name)) or "none"


def short(fingerprint: str | None) -> str:
    """Return the first ten characters of a fingerprint."""
    return MISSING if fingerprint is None else fingerprint[:10]


def slug(text: str) -> str:
    """Turn a name into an id: lower case, words joined by hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def last_line(text: str | None, width: int = 120) -> str:
    """Return the last line of a traceback or the only line of a message, cut to `width`."""
    lines = (text or "").strip().splitlines()
    line = lines[-1] if lines else ""
    return line if len(line) <= width else line[: width - 1] + "…"


def attempt(job: Job) -> str:
    """Write which attempt at a job this is: `2 of 3`; only the number where as many as it takes are allowed."""
    return f"{job.attempt} of {job.max_attempts}" if job.max_attempts < _ANY_ATTEMPTS else str(job.attempt)


def url_with(request: Request, **changes: str | int | None) -> str:
    """Return this page's address with some query parameters changed; None removes one, others stay, also repeated."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    query += [(name, str(value)) for name, value in changes.items() if value is not None]
    return f"?{urlencode(query)}" if query else request.url.path


def csv_url(request: Request, path: str, *kept: str, **given: str) -> str:
    """Return where a list of this page is as CSV: `path` with the page's parameters named in `kept`, and `given`.

    What the page was not asked for is left out: the route then has its own defaults, which are the page's.
    """
    query = {name: request.query_params[name] for name in kept if request.query_params.get(name)}
    return f"{path}?{urlencode(query | given | {'format': 'csv'})}"


def filters(clock: Clock) -> Mapping[str, Callable[..., Any]]:
    """Every filter by its name in templates; `clock` says what "ago" is measured from, and pages let such ages grow."""

    def ago(at: datetime | None) -> str:
        if at is None:
            return seen(None)
        words = seen((clock.now() - at).total_seconds())
        return Markup('<time data-age="{}">{}</time>').format(at.isoformat(), words)

    plain = (
        number,
        signed,
        percent,
        signed_percent,
        count,
        utc,
        utc_text,
        zoned,
        day,
        duration,
        seen,
        size,
        toned,
        costs,
        short,
        slug,
        last_line,
        state_words,
        attempt,
    )
    return {made.__name__: made for made in plain} | {"ago": ago}
