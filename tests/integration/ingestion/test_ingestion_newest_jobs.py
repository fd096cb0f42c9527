"""The first page says what each of the newest jobs did."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import polars as pl

from simulated_exchange.market import Market

DAY = {"start": "2024-06-03", "end": "2024-06-04"}
NAMES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


def test_the_first_page_says_what_each_job_brought(start_exchange, open_house, tmp_path):
    house = open_house(start_exchange().url)
    begin = datetime(2024, 6, 3, tzinfo=UTC)
    day = Market().bars("EDGE", begin, begin.replace(day=4)).rename(NAMES)
    row = pl.int_range(pl.len())
    file = day.with_columns(close=pl.when(row == 200).then(-1.0).otherwise("close")).filter(row != 100)
    file.write_parquet(tmp_path / "EDGE.parquet")

    jobs = []
    for path, body in (
        ("/import", {"path": str(tmp_path / "EDGE.parquet")}),
        ("/backfill/EDGE", {}),
        ("/compare/EDGE", {**DAY, "provider": "simulated"}),
        ("/ingest/CALM", DAY),
        ("/ingest", {**DAY, "symbols": ["CALM", "FLAT", "EDGE", "QMKT", "UNHEARD"], "together": True}),
    ):
        answer = house.post(path, **body)
        jobs.append(answer["job_id"] if "job_id" in answer else answer["jobs"][0]["job_id"])
        house.ended(jobs[-1])

    page = house.http.get("/", headers={"Accept": "text/html"}).text
    rows = re.findall(r'<tr data-job="(\d+)">(.*?)</tr>', page, flags=re.DOTALL)
    said = {
        int(job): [html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in cells.split("</td>")]
        for job, cells in rows
    }
    # the first cell is the link to the job, which no </td> ends
    assert [(cells[0].split("\n")[1], cells[3]) for cells in said.values()] == [
        ("fetch together CALM, FLAT, EDGE and 2 more", "1,109 rows stored; no bars of UNHEARD"),
        ("fetch CALM", "344 rows stored"),
        ("compare EDGE", "388 of 388 minutes agree with simulated, 0 replaced"),
        ("fill gaps EDGE", "1 of 1 gap minutes fetched, 0 filled"),
        ("import EDGE.parquet", "388 rows stored; 1 × a price is zero or negative"),
    ]
    assert list(said) == jobs[::-1]
