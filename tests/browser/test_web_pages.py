"""Every page of the frame in both themes, wide and narrow: clean, accessible, no sideways scroll.

Here each is opened anew in its theme and width; other services' pages change both while they are open.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

#: the list of jobs is checked with jobs in every state, in test_web_job_pages
ROUTES = {"front": "/", "run": "/runs/3", "empty": "/?symbol=ZZZ"}


# each theme and each width once: colours do not depend on the width
@pytest.mark.parametrize(("theme", "width"), [("dark", 1440), ("light", 390)])
@pytest.mark.parametrize("name", ROUTES)
def test_page_is_clean_in_theme_and_width(visit, example, check, picture, name, width, theme):
    page = visit(example.url, ROUTES[name], theme=theme, width=width)
    picture(page, f"{name}-{theme}-{width}")
    check(page)


def test_error_page_names_what_is_missing(visit, example, check_looks):
    page = visit(example.url, "/runs/999", status=404)
    assert "there is no run 999" in page.inner_text("main")
    check_looks(page, "error")
