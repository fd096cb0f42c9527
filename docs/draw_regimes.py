"""Draws docs/images/regime-*.svg from the simulated market: `python docs/draw_regimes.py` from the project's root."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from feature_service.domain.bars import Bars, bars_of, usable
from feature_service.domain.blocks import months_between
from feature_service.domain.regimes import FEATURES, MARKET_MIXTURE
from feature_service.domain.regimes.timeline import spans
from shared.contracts.datasets import TS
from shared.contracts.regimes import REGIMES
from simulated_exchange.market import Market

START, HISTORY = datetime(2023, 3, 1, tzinfo=UTC), datetime(2022, 9, 1, tzinfo=UTC)
#: the average of 200 minutes is crossed several times a day: two weeks of it are enough for one picture
ENDS = {name: datetime(2023, 9, 1, tzinfo=UTC) for name in REGIMES} | {"regime_sma": datetime(2023, 3, 15, tzinfo=UTC)}
WIDTH, HEIGHT, TOP, BAND = 760, 260, 28, 34
#: by number of labels; readable on white and on black, told apart by their place in the legend too
TONES = {
    2: ("#d1495b", "#2e86ab"),
    3: ("#2e86ab", "#edae49", "#d1495b"),
    4: ("#d1495b", "#edae49", "#8d6cab", "#2e86ab"),
}
STYLE = """<style>text{font:12px system-ui,sans-serif;fill:#333}.line{stroke:#222}
@media(prefers-color-scheme:dark){text{fill:#ccc}.line{stroke:#ddd}}</style>"""


def bars(symbol: str, end: datetime) -> pl.DataFrame:
    frame = Market(7).bars(symbol, HISTORY, end)
    named = frame.select("ts", open="o", high="h", low="l", close="c", volume=pl.col("v").cast(pl.Float64))
    return usable(named.with_columns(source=pl.lit("simulated")))


def labelled(name: str) -> tuple[Bars, np.ndarray]:
    """Labels of QMKT, month by month with that month's own fit, as blocks have them."""
    own, proxy = bars("QMKT", ENDS[name]), bars_of(bars("VOLX", ENDS[name]))
    feature = next(one for one in FEATURES if one.name == name)
    kept = list[np.ndarray]()
    for month in months_between(START, ENDS[name]):
        past = bars_of(own.filter(pl.col("ts") < month.start).tail(MARKET_MIXTURE.rows))
        until = bars_of(own.filter(pl.col("ts") < month.end))
        fits = {MARKET_MIXTURE.name: MARKET_MIXTURE.fitted(past)}
        values = feature.values(until.beside({"market": until, "volatility": proxy}, fits))
        kept.append(values[until.ts_us >= int(month.start.timestamp() * 1e6)])
    shown = bars_of(own.filter(pl.col("ts") >= START))
    return shown, np.concatenate(kept)


def draw(name: str) -> str:
    shown, labels = labelled(name)
    names, tones = REGIMES[name], TONES[len(REGIMES[name])]
    rows = np.arange(len(shown))
    x = 8 + (WIDTH - 16) * rows / (len(rows) - 1)
    low, high = shown.close.min(), shown.close.max()
    y = TOP + (HEIGHT - TOP - BAND - 24) * (high - shown.close) / (high - low)
    step = max(1, len(rows) // WIDTH)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[::step], y[::step], strict=True))
    frame = pl.DataFrame({"ts": pl.Series(shown.ts_us).cast(TS), "regime": labels})
    bands, at = list[str](), 0
    for span in spans(frame, "regime"):
        left, right = x[at], x[min(at + span.rows, len(x) - 1)]
        at += span.rows
        if span.label >= 0:
            bands.append(
                f'<rect x="{left:.1f}" y="{HEIGHT - BAND - 16}" width="{right - left:.1f}" height="{BAND}" '
                f'fill="{tones[span.label]}"/>'
            )
    legend = "".join(
        f'<rect x="{8 + 170 * k}" y="4" width="12" height="12" fill="{tone}"/>'
        f'<text x="{26 + 170 * k}" y="14">{k} {escape(text)} ({np.mean(labels == k):.0%})</text>'
        for k, (text, tone) in enumerate(zip(names, tones, strict=True))
    )
    days = pl.Series(shown.ts_us).cast(TS).dt.strftime("%Y-%m" if step > 10 else "%m-%d").to_list()
    first = [row for row in rows if row == 0 or days[row] != days[row - 1]]
    months = "".join(f'<text x="{x[row]:.0f}" y="{HEIGHT - 2}">{days[row]}</text>' for row in first)
    title = f"{name} over QMKT of the simulated market from {START:%Y-%m-%d}: price above, label below"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{title}</title>'
        f'{STYLE}{legend}<polyline class="line" fill="none" stroke-width="1" points="{line}"/>{"".join(bands)}{months}'
        "</svg>\n"
    )


def main() -> None:
    folder = Path(__file__).parent / "images"
    for name in REGIMES:
        (folder / f"{name.replace('_', '-')}.svg").write_text(draw(name), encoding="utf-8")


if __name__ == "__main__":
    main()
