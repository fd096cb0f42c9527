"""What pages and downloads show of stored and recomputed runs."""

from simulation_service.views.charts import candles, curve
from simulation_service.views.comparison import Comparison, comparison, growth
from simulation_service.views.heatmap import Heatmap, heatmap
from simulation_service.views.tables import hold_text, month_grid, regime_rows, runs_frame
from simulation_service.views.tearsheet import tearsheet

__all__ = [
    "Comparison",
    "Heatmap",
    "candles",
    "comparison",
    "curve",
    "growth",
    "heatmap",
    "hold_text",
    "month_grid",
    "regime_rows",
    "runs_frame",
    "tearsheet",
]
