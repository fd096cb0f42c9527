"""The pages."""

from __future__ import annotations

from shared.web.pages import page_router

router = page_router()
