"""Where providers are asked."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Return whether `url` is of this machine: an HTTP proxy of the environment is not for it."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
