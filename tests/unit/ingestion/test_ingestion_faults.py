"""The table of injected faults: all of them found, and nothing honest taken for one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

ROOT = Path(__file__).parents[3]
SPY = ROOT.parent / "shared" / "data" / "bars_1m" / "A" / "us2024" / "SPY.parquet"


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    path = ROOT / "benchmarks" / "ingestion_faults.py"
    spec = importlib.util.spec_from_file_location("ingestion_faults", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    first = sys.path[0]
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[0] = first
        del sys.modules[spec.name]
    return module


def test_every_fault_in_a_simulated_year_is_found_and_no_honest_bar_is_refused(faults):
    lines = faults.table(faults.simulated_year())
    assert len(lines) == 25
    for line in lines:
        assert (line.detected, line.false_alarms) == (line.injected, 0), line


@pytest.mark.skipif(not SPY.is_file(), reason="the real bars at ../shared/data are not here")
def test_every_fault_in_a_real_year_is_found_and_no_honest_bar_is_refused(faults):
    clean = pl.read_parquet(SPY).sort("ts").select(faults.RAW_SCHEMA.names()).cast(dict(faults.RAW_SCHEMA))
    for line in faults.table(clean, seed=2):
        assert (line.detected, line.false_alarms) == (line.injected, 0), line
