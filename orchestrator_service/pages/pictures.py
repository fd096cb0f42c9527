"""Pictures of a search, drawn on the server: luck beside the best trial, and who descends from whom."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator_service.domain.gate import BestTrial, Histogram
from orchestrator_service.domain.records import Model, ModelState
from shared.web.charts import Line, Plot, plot
from shared.web.dag_layout import Drawing, Node, layout
from shared.web.formats import number, short

_LOOKS = {
    ModelState.WAITING: ("wait", "○"),
    ModelState.TRAINED: ("done", "✓"),
    ModelState.PRUNED: ("off", "–"),
    ModelState.FAILED: ("fail", "✕"),
    ModelState.NOMINATED: ("run", "◐"),
    ModelState.PROMOTED: ("champion", "★"),
}


def luck_plot(best: BestTrial) -> Plot:
    """Return where luck alone puts the largest t, all trials' t, and the best trial's."""
    null, trials = _outline(best.null_max_t), _outline(best.trial_t)
    top = max(*null[1], *trials[1])
    return plot(
        [
            Line(xs=trials[0], ys=trials[1], label="t of every trial", tone="bench", steps=True),
            Line(xs=null[0], ys=null[1], label="largest t by luck alone", tone="s1", steps=True),
            Line(xs=[best.t, best.t], ys=[0.0, top], label="best trial", tone="hit"),
        ],
        x_label="t of timing alpha on SELECT",
        y_label="share",
        size=(720, 300),
    )


def luck_summary(best: BestTrial, trials: int) -> str:
    """Return the picture in one sentence."""
    return (
        f"The best of {trials:,} trials has t {number(best.t)}; luck alone reaches that in "
        f"{number(best.p_select_fwer * 100, 1)} % of ledgers like this one."
    )


def lineage_drawing(models: Sequence[Model]) -> Drawing:
    """Return the family tree; a model that was not trained has no page, and no place but its slot."""
    nodes: dict[str, Node] = {}
    for model in models:
        name = model.fingerprint or f"slot-{model.slot}"
        look, glyph = _LOOKS[model.state]
        # long enough for a fingerprint's ten characters, and no longer: boxes are as wide as their longest line
        strength = model.select_metrics.sqn100 if model.select_metrics else None
        nodes[name] = Node(
            id=name,
            title=f"{short(name)} {model.request.estimator} {model.request.target.horizon_bars}",
            subtitle=f"{glyph} {model.state} · {number(strength)}",
            look=look,
            url=f"/lineage/{name}" if model.fingerprint else "",
        )
    edges = [(model.parent, model.fingerprint or f"slot-{model.slot}") for model in models if model.parent]
    return layout(list(nodes.values()), edges)


def _outline(histogram: Histogram) -> tuple[list[float], list[float]]:
    """Return a histogram as the steps of its shares, closed at the right end."""
    total = max(1, sum(histogram.counts))
    shares = [count / total for count in histogram.counts]
    return list(histogram.edges), [*shares, 0.0]
