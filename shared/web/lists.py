"""Every list of a JSON answer as CSV: `GET /coverage?search=sp&sort=-gaps&format=csv`.

1. The answer's type says which lists of records are in it, and what their columns are, so that an empty file has the
   same header as a full one: an answer that is a list, the `items` of a page, or lists inside, `list=disk.datasets`.
2. The route answers as ever, a paged one with all pages (pagination.py).
3. Its JSON becomes rows: numbers as they are, times in UTC as ISO 8601, nothing for null. A record in a record has
   columns of its own, `last_error_kind`; what is no one value, as lists are, stays JSON in its cell.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from shared.errors import InvalidInput

#: columns by name, each with the steps that lead to its value in a row
Columns = Mapping[str, tuple[str, ...]]

#: how deep records are followed into records: a schema may name itself
_DEPTH = 3
#: what a page's rows are called
_ITEMS = "items"
#: what a spreadsheet takes for a formula at the start of a text, and would run
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ListRoute(APIRoute):
    """A route that also answers `format=csv` where its answer has lists of records; `list` names one of several."""

    @cached_property
    def lists(self) -> Mapping[str, Columns]:
        """Lists of the answer by their names, "" where it is one itself; none where it is told of one thing only."""
        if self.response_model is None or self.methods != {"GET"}:
            return {}
        schema = TypeAdapter(self.response_model).json_schema(mode="serialization")
        return dict(_lists(schema, schema.get("$defs", {}), ()))

    @property
    def query_names(self) -> set[str]:
        """Names of the parameters that this adds."""
        return ({"format"} if self.lists else set()) | ({"list"} if self.lists.keys() - {"", _ITEMS} else set())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_list(request: Request) -> Response:
            # a route that has a format of its own has no list of records, or answers with a file already
            if request.query_params.get("format", "json") == "json" or not self.lists:
                return await handle(request)
            name = self._asked(request)
            response = await handle(request)
            if response.media_type != "application/json":
                return response
            return await run_in_threadpool(_file, bytes(response.body), name, self.lists[name], request.url.path)

        return handle_list

    def _asked(self, request: Request) -> str:
        asked = request.query_params["format"]
        if asked != "csv":
            raise InvalidInput(f"format {asked!r}: use json or csv")
        name = request.query_params.get("list", _ITEMS if _ITEMS in self.lists else "")
        if name not in self.lists:
            raise InvalidInput(f"list {name!r} is not in this answer: use one of {', '.join(self.lists)}")
        return name


def _file(body: bytes, name: str, columns: Columns, path: str) -> Response:
    answer = json.loads(body)
    # a record that may be null has no list in it then
    rows: list[object] = (_at(answer, tuple(name.split("."))) or []) if name else answer
    called = re.sub(r"[^A-Za-z0-9.]+", "-", f"{path}-{name}" if name not in ("", _ITEMS) else path).strip("-")
    headers = {"Content-Disposition": f'attachment; filename="{called}.csv"', "X-Truncated": "false"}
    if name == _ITEMS and answer["total"] > len(rows):
        headers["X-Truncated"] = "true"
    return Response(written(rows, columns), media_type="text/csv", headers=headers)


def written(rows: Sequence[object], columns: Columns) -> str:
    """Return rows, as JSON has them, as CSV with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(_at(row, steps)) for steps in columns.values()] for row in rows)
    return out.getvalue()


def _at(value: Any, steps: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    for step in steps:
        value = None if value is None else value.get(step)
    return value


def _cell(value: object) -> object:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"  # an imported file's or a user's words; what is a number does no harm
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lists(node: Any, known: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Columns]]:  # noqa: ANN401 - a schema
    """Return the lists of records in what `node` describes, with their columns."""
    node = _plain(node, known)
    if node.get("type") == "array" and (row := _plain(node.get("items", {}), known)).get("properties"):
        yield ".".join(place), dict(_columns(row, known, ()))
    elif len(place) < _DEPTH:
        for name, inner in node.get("properties", {}).items():
            yield from _lists(inner, known, (*place, name))


def _columns(node: Any, known: Any, place: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:  # noqa: ANN401
    for name, inner in node["properties"].items():
        steps, plain = (*place, name), _plain(inner, known)
        if plain.get("properties") and len(steps) < _DEPTH:
            yield from _columns(plain, known, steps)
        else:
            yield "_".join(steps), steps


def _plain(node: Any, known: Any) -> Any:  # noqa: ANN401 - a schema
    """Return a schema without its detours: where it stands elsewhere, and that it may be null."""
    while True:
        choices = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in node:
            node = known[node["$ref"].rpartition("/")[2]]
        elif len(choices) == 1:
            node = choices[0]
        else:
            return node
