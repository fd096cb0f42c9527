"""`barsmith train`: one model."""

from __future__ import annotations

from pathlib import Path

import click

from barsmith.options import home_option, instant_option, json_option, window_options


@click.group()
def train() -> None:
    """Fit a model, list the models there are.

    \b
    Example:
      barsmith train model EDGE --start 2023-01-01 --end 2024-01-01 --estimator elasticnet
    """


@train.command()
@click.argument("symbol")
@window_options
@click.option("--estimator", type=click.Choice(["elasticnet", "xgboost"]), default="elasticnet", show_default=True)
@click.option("--horizon", type=click.IntRange(1, 389), default=15, show_default=True, help="Bars ahead, in minutes.")
@click.option("--set", "feature_set", default="core", show_default=True, help="Feature set.")
@instant_option("--predict-until", "Also predict from --end until here, for simulation.")
@click.option("--train-days", type=click.IntRange(5), default=120, show_default=True, help="Sessions a fold trains on.")
@click.option("--test-days", type=click.IntRange(1), default=30, show_default=True, help="Sessions a fold predicts.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True)
@home_option
@json_option
def model(  # noqa: PLR0913, PLR0917 - one option each
    symbol: str,
    start: str,
    end: str,
    estimator: str,
    horizon: int,
    feature_set: str,
    predict_until: str | None,
    train_days: int,
    test_days: int,
    seed: int,
    home: Path,
    as_json: bool,
) -> None:
    """Fit one model on SYMBOL in walk-forward folds, and freeze it.

    \b
    Example:
      barsmith train model EDGE --start 2023-01-01 --end 2024-01-01 --predict-until 2024-07-01
    """
    from barsmith.remote import House, Progress, tell

    body = {
        "symbol": symbol,
        "feature_set": feature_set,
        "estimator": estimator,
        "target": {"horizon_bars": horizon},
        "folds": {"train_days": train_days, "test_days": test_days},
        "train": {"start": start, "end": end},
        "predict": {"start": end, "end": predict_until} if predict_until else None,
        "seed": seed,
    }
    jobs = House(home).run("training", "/train", body, Progress(f"train {symbol}"))
    tell([job["result"] for job in jobs], as_json=as_json, columns=["fingerprint", "reused"])


@train.command()
@click.option("--symbol", help="Only this symbol's.")
@home_option
@json_option
def models(symbol: str | None, home: Path, as_json: bool) -> None:
    """List the models, newest first.

    \b
    Example:
      barsmith train models --symbol EDGE
    """
    from barsmith.remote import House, tell

    columns = ["fingerprint", "symbol", "estimator", "feature_set", "parent", "created_at"]
    tell(House(home).get("training", "/models", symbol=symbol), as_json=as_json, columns=columns)
