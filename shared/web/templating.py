"""Templates: a service's own under its `templates/`, the shared ones under the prefix `shared/`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined

from shared.clock import Clock
from shared.web import charts
from shared.web.columns import column_choice
from shared.web.formats import csv_url, filters, url_with

#: a field in the summary of a form's errors, which stands above the fields: see the macro form_errors
_NAMED_FIELD = re.compile(r'(<a href="#(f-[^"]+)" data-field>)[^<]*(?=</a>)')


def template_environment(package: str, clock: Clock) -> Environment:
    """Make the Jinja environment of one service. Undefined names are errors; all output is escaped."""
    shared = PrefixLoader({"shared": PackageLoader("shared.web", "templates")})
    own = _own_templates(package)
    environment = Environment(
        loader=ChoiceLoader([shared, *own]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters(clock))
    environment.globals["charts"] = charts
    environment.globals["url_with"] = url_with
    environment.globals["column_choice"] = column_choice
    environment.globals["csv_url"] = csv_url
    environment.globals["now"] = lambda: clock.now().isoformat()
    environment.globals["new_key"] = lambda: secrets.token_hex(16)
    return environment


def _own_templates(package: str) -> list[FileSystemLoader | PackageLoader]:
    try:
        return [PackageLoader(package, "templates")]
    except ValueError:  # a service without pages of its own has no templates folder
        return []


def _by_label(found: re.Match[str]) -> str:
    """Return a summary's link with the label of its field; a field that the form does not have keeps its name.

    What the fields are called is known only when the page is whole; of two forms the one below the summary is meant.
    """
    label = re.compile(f'<label for="{re.escape(found[2])}">(.*?)</label>').search(found.string, found.end())
    return f"{found[1]}{label[1]}" if label else found[0]


def render(
    request: Request,
    name: str,
    /,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """Render the page `name` with `context`; `request`, `shell` (the frame around the page) are always there."""
    site = request.app.state.site
    template = site.environment.get_template(name)
    content = template.render(request=request, shell=site.shell, **context)
    if status == 422:
        content = _NAMED_FIELD.sub(_by_label, content)
    return HTMLResponse(content, status, {"Cache-Control": "no-cache", "Vary": "Accept", **(headers or {})})
