"""The pages of series that users brought."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from shared.errors import InvalidInput
from shared.web.accept import prefers_html
from shared.web.forms import Form, SubmittedForm
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from simulation_service.deps import RunsDep, SignalsDep
from simulation_service.domain.records import SignalsRecord
from simulation_service.schemas import run_filter
from simulation_service.use_cases import SignalSeries

router = page_router()


@router.get("/signals")
def signals_page(request: Request, signals: SignalsDep, paging: PageQuery, symbol: str = "") -> Response:
    return _signals(request, signals, paging, symbol=symbol)


@router.post("/signals")
def bring_signals(request: Request, signals: SignalsDep, submitted: SubmittedForm, paging: PageQuery) -> Response:
    content, file_name = _file(submitted)
    symbol, name = (submitted.get(field) for field in ("symbol", "name"))
    called = str(name or "") or file_name
    try:
        record = signals.keep(content, symbol=str(symbol or ""), name=called)
    except InvalidInput as error:
        if not prefers_html(request.headers):  # curl -F sends a form too, and wants to read JSON
            raise
        field = "symbol" if str(error).startswith("symbol") else "file"
        form = Form[SignalsRecord]({"symbol": str(symbol or ""), "name": str(name or "")}, {field: str(error)}, None)
        return _signals(request, signals, paging, form=form, status=422)
    if not prefers_html(request.headers):
        return JSONResponse(record.model_dump(mode="json"), 201)
    return redirect_after_post(f"/signals/{record.fingerprint}")


def _file(submitted: FormData) -> tuple[bytes, str]:
    """Return the uploaded file's content and name, and close it."""
    file = submitted.get("file")
    if not isinstance(file, UploadFile):
        return b"", ""
    with file.file as opened:
        return opened.read(), file.filename or ""


@router.get("/signals/{fingerprint}")
def one_page(request: Request, signals: SignalsDep, runs: RunsDep, fingerprint: str, paging: PageQuery) -> Response:
    record = signals.one(fingerprint)
    page = paging.of(*runs.page(run_filter(paging, "-created_at", model=fingerprint)))
    return render(request, "signal.html", record=record, page=page)


def _signals(
    request: Request,
    signals: SignalSeries,
    paging: PageNumbers,
    *,
    symbol: str = "",
    form: Form[SignalsRecord] | None = None,
    status: int = 200,
) -> Response:
    found = signals.page(symbol=symbol.upper() or None, limit=paging.per_page, offset=paging.offset)
    return render(request, "signals.html", status=status, page=paging.of(*found), form=form)
