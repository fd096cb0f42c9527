"""What is said where a coin's slash was left in an address: the last router, after all that have an answer."""

from __future__ import annotations

from fastapi import APIRouter

from shared.errors import NotFound

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "POST", "PUT", "DELETE"]


@router.api_route("/{noun}/{coin}/USD", methods=_METHODS)
@router.api_route("/{noun}/{coin}/USD/{rest:path}", methods=_METHODS)
def show_spelling(noun: str, coin: str, rest: str = "") -> None:
    """Say how `/bars/BTC/USD` is written."""
    raise NotFound(f"a coin has no slash here: write /{noun}/{coin}USD{'/' + rest if rest else ''}")
