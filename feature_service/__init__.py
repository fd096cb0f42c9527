"""Computes causal features once per symbol and month, and lets every other service reuse them."""
