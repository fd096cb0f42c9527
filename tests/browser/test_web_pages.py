"""Every page of the frame in both themes and three widths: clean, accessible, no sideways scroll."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

ROUTES = {"front": "/", "run": "/runs/3", "jobs": "/jobs", "empty": "/?symbol=ZZZ"}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ROUTES)
def test_page_is_clean_in_theme_and_width(visit, example, check, pictures, name, width, theme):
    page = visit(example.url, ROUTES[name], theme=theme, width=width)
    page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
    check(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_error_page_names_what_is_missing(visit, example, check, pictures, theme):
    page = visit(example.url, "/runs/999", theme=theme, status=404)
    page.screenshot(path=pictures / f"error-{theme}.png", full_page=True)
    assert "there is no run 999" in page.inner_text("main")
    check(page)
