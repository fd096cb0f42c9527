"""How values read, and who is served a page."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from starlette.datastructures import Headers

from shared.clock import FixedClock
from shared.web import formats
from shared.web.accept import prefers_html

THIN = formats.THIN


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (formats.number(-1234.5), "−1,234.50"),
        (formats.number(-0.001), "0.00"),
        (formats.number(None), "–"),
        (formats.number(math.nan), "–"),
        (formats.number(-math.inf), "−∞"),
        (formats.signed(0.001), "0.00"),
        (formats.signed(2.5, 1), "+2.5"),
        (formats.percent(0.532), f"53.2{THIN}%"),
        (formats.signed_percent(-0.0001), f"0.0{THIN}%"),
        (formats.count(10_001), "10k+"),
        (formats.count(9_999), "9,999"),
        (formats.utc_text(datetime(2024, 2, 1, 7, tzinfo=UTC)), "2024-02-01 07:00"),
        (formats.utc_text(datetime(2024, 2, 1, 7, 5, 9, tzinfo=UTC), seconds=True), "2024-02-01 07:05:09"),
        (formats.utc_text(None), "–"),
        (formats.day(datetime(2024, 2, 1, 7, tzinfo=UTC)), "2024-02-01"),
        (
            formats.costs({"half_spread_bps": 0.5, "fee_per_fill": 0.02, "fee_bps": 0}),
            "0.02 a fill, 0.5 bp half spread",
        ),
        (formats.costs({"participation": None}), "none"),
        (formats.costs(None), "–"),
        (formats.duration(192), f"3{THIN}m 12{THIN}s"),
        (formats.duration(timedelta(days=2, hours=4, minutes=9)), f"2{THIN}d 4{THIN}h"),
        (formats.duration(3_600), f"1{THIN}h"),
        (formats.duration(0), f"0{THIN}s"),
        (formats.seen(250), "4 min ago"),
        (formats.seen(729 * 86_400), "729 d ago"),
        (formats.seen(2835 * 86_400), "7 y ago"),
        (formats.size(1.2e9), f"1.2{THIN}GB"),
        (formats.toned(formats.signed_percent(-0.21)), '<span class="down">−21.0\u202f%</span>'),
        (formats.toned(formats.signed_percent(-0.0004)), "0.0\u202f%"),
        (formats.toned("–"), "–"),
        (formats.slug("Price & trades: SPY"), "price-trades-spy"),
        (formats.last_line("Traceback\n  x\nMemoryError: fold 4"), "MemoryError: fold 4"),
    ],
)
def test_value_reads(shown, text):
    assert shown == text


FEBRUARY = datetime(2024, 2, 1, 2, 0, 30, 250_000, tzinfo=ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("shown", "html"),
    [
        (formats.utc(FEBRUARY), '<time datetime="2024-02-01T07:00:30Z" data-at="minute">2024-02-01 07:00</time>'),
        (
            formats.utc(FEBRUARY, seconds=True),
            '<time datetime="2024-02-01T07:00:30Z" data-at="second">2024-02-01 07:00:30</time>',
        ),
        (
            formats.utc(FEBRUARY, since=FEBRUARY - timedelta(hours=7)),
            '<time datetime="2024-02-01T07:00:30Z" data-at="minute" data-since="2024-02-01T00:00:30Z">07:00</time>',
        ),
        (
            formats.utc(FEBRUARY, since=FEBRUARY - timedelta(hours=8)),
            '<time datetime="2024-02-01T07:00:30Z" data-at="minute" data-since="2024-01-31T23:00:30Z">'
            "2024-02-01 07:00</time>",
        ),
        (formats.utc(None), "–"),
        (formats.zoned("from (UTC)"), "from (<span data-zone>UTC</span>)"),
        (formats.zoned("first <day>, UTC"), "first &lt;day&gt;, UTC"),
    ],
)
def test_moment_is_an_element_that_a_page_writes_in_another_zone(shown, html):
    assert escape(shown) == html


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 6))
def test_no_number_reads_as_minus_zero_or_nan(value, digits):
    for text in (formats.number(value, digits), formats.signed(value, digits)):
        assert "nan" not in text
        assert text.strip("+−0.,") or text[0] not in "+−"


def test_ago_counts_from_the_clock():
    clock = FixedClock(datetime(2025, 1, 1, 12, tzinfo=UTC))
    ago = formats.filters(clock)["ago"]
    at = datetime(2025, 1, 1, 10, tzinfo=UTC)
    assert ago(at) == f'<time data-age="{at.isoformat()}">2 h ago</time>'
    assert ago(None) == "never"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0.9, application/json;q=0.1", True),
        ("text/html;q=0", False),
        ("text/html;q=oops", False),
    ],
)
def test_page_is_for_those_who_prefer_it(accept, html):
    assert prefers_html(Headers({"accept": accept})) is html
