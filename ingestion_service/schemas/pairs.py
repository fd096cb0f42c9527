"""Pairs of names and values in a form's one text field."""

from __future__ import annotations


def named_pairs(text: str, hint: str) -> dict[str, str]:
    """Return `name = value` pairs, separated by commas or lines. Raises ValueError with `hint` for one without "="."""
    pairs = [pair.partition("=") for pair in text.replace("\n", ",").split(",") if pair.strip()]
    if not all(sign for _, sign, _ in pairs):
        raise ValueError(hint)
    return {name.strip(): value.strip() for name, _, value in pairs}
