"""Backtests of a model's stored predictions: one sweep is one model, one symbol and a grid of settings."""
