"""How one service reads another's registry over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import httpx

from shared.errors import BarsmithError, Conflict, InvalidInput, NotFound, Unavailable
from shared.logs import request_id

_GET_ATTEMPTS = 3
_ANSWER_SECONDS = 30.0
_CONNECT_SECONDS = 2.0
_KINDS: dict[str, type[BarsmithError]] = {
    "not_found": NotFound,
    "conflict": Conflict,
    "invalid_input": InvalidInput,
    "unavailable": Unavailable,
    "invalid_payload": InvalidInput,
}
_BY_STATUS: dict[int, type[BarsmithError]] = {404: NotFound, 409: Conflict, 400: InvalidInput, 422: InvalidInput}


class ServiceClient:
    """Asks one named service; its errors come back as the errors it raised.

    Reads are tried up to three times, writes once: only the caller knows whether a write may be repeated.

    seconds : how long one answer is waited for
    """

    def __init__(self, name: str, base_url: str, *, seconds: float = _ANSWER_SECONDS) -> None:
        self._name = name
        self._base_url = base_url.rstrip("/")
        # No proxy from the environment: siblings live next door.
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        self._http = httpx.Client(base_url=self._base_url, timeout=timeout, trust_env=False)

    def get(self, path: str, **params: object) -> Any:  # noqa: ANN401 - JSON
        """GET `path` as JSON; parameters that are None are left out."""
        return self._get(path, params).json()

    def download(self, path: str, **params: object) -> bytes:
        """GET `path` as the bytes of a file; parameters that are None are left out."""
        return self._get(path, params).content

    def post(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - JSON
        """POST `json` to `path`; asked once."""
        return self._ask("POST", path, json=json).json()

    def put(self, path: str, json: object) -> Any:  # noqa: ANN401 - JSON
        """PUT `json` at `path`; asked once."""
        return self._ask("PUT", path, json=json).json()

    def delete(self, path: str) -> None:
        """DELETE what is at `path`; asked once."""
        self._ask("DELETE", path)

    def upload(self, path: str, name: str, content: bytes, **fields: str) -> Any:  # noqa: ANN401 - JSON
        """POST a file called `name` to `path`, with the form's other fields; asked once."""
        return self._ask("POST", path, files={"file": (name, content)}, data=fields).json()

    def post_bytes(self, path: str, body: bytes, **params: str) -> Any:  # noqa: ANN401 - JSON
        """POST a file's bytes to `path` and return the JSON answer; asked once."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._ask("POST", path, content=body, params=params, more=headers).json()

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _get(self, path: str, params: Mapping[str, object]) -> httpx.Response:
        query = {name: value for name, value in params.items() if value is not None}
        for attempt in range(1, _GET_ATTEMPTS + 1):
            try:
                return self._ask("GET", path, params=query)
            except Unavailable:
                if attempt == _GET_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _ask(
        self,
        method: str,
        path: str,
        more: Mapping[str, str] | None = None,
        **request: Any,  # noqa: ANN401 - JSON
    ) -> httpx.Response:
        headers = {"Accept": "application/json", **(more or {})}
        if current := request_id.get():
            headers["X-Request-ID"] = current
        try:
            response = self._http.request(method, path, headers=headers, **request)
        except httpx.TransportError as error:
            raise Unavailable(
                f"the {self._name} service at {self._base_url} does not answer ({type(error).__name__}): "
                "check that it runs (barsmith up) and try again"
            ) from error
        if response.is_success:
            return response
        raise self._error(response)

    def _error(self, response: httpx.Response) -> BarsmithError:
        try:
            envelope = response.json()
            name, detail = str(envelope["error"]), str(envelope["detail"])
        except (ValueError, KeyError, TypeError):
            name, detail = "", f"it answered {response.status_code} without an explanation"
        kind = _KINDS.get(name) or _BY_STATUS.get(response.status_code, Unavailable)
        if kind is Unavailable:
            detail = f"the {self._name} service at {self._base_url} could not answer: {detail}"
        return kind(detail)
