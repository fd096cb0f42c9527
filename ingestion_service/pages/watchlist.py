"""The watchlist and named lists of symbols."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from ingestion_service.domain.symbols import read_symbol
from ingestion_service.schemas.agents import UniverseForm, Watch
from ingestion_service.use_cases import Watchlist
from shared.errors import InvalidInput, NotFound
from shared.web.forms import Form, SubmittedForm, check_form, with_error
from shared.web.pages import page_router, redirect_after_post, render
from shared.web.pagination import PageNumbers, PageQuery
from shared.web.parts import provided

router = page_router()

WatchlistDep = Annotated[Watchlist, Depends(provided(Watchlist))]


class WatchlistPage:
    """The page, also when it is shown again with a form that was not right."""

    def __init__(self, request: Request, watchlist: WatchlistDep) -> None:
        self._request, self._watchlist = request, watchlist

    def render(
        self,
        watch_form: Form[Watch] | None = None,
        universe_form: Form[UniverseForm] | None = None,
        paging: PageNumbers | None = None,
        search: str = "",
    ) -> Response:
        paging = paging or PageNumbers()
        watched = self._watchlist.all(search)
        return render(
            self._request,
            "watchlist.html",
            status=422 if watch_form or universe_form else 200,
            page=paging.of(watched[paging.offset : paging.offset + paging.per_page], len(watched)),
            universes=self._watchlist.universes(),
            watch_form=watch_form,
            universe_form=universe_form,
        )


PageDep = Annotated[WatchlistPage, Depends()]


@router.get("/watchlist")
def watchlist_page(page: PageDep, paging: PageQuery, search: str = "") -> Response:
    return page.render(paging=paging, search=search)


@router.post("/watchlist")
def watch(submitted: SubmittedForm, watchlist: WatchlistDep, page: PageDep) -> Response:
    """Watch symbols and show the list."""
    form = check_form(Watch, submitted)
    if form.data is None:
        return page.render(form)
    try:
        watchlist.add_all(form.data.symbols, form.data.universe, form.data.since, live="live" in submitted)
    except InvalidInput as error:
        return page.render(with_error(form, "since", str(error)))
    except NotFound as error:
        return page.render(with_error(form, "universe", str(error)))
    return redirect_after_post("/watchlist")


@router.post("/watchlist/{symbol}/remove")
def unwatch(symbol: str, watchlist: WatchlistDep) -> Response:
    """Take a symbol off the list."""
    watchlist.remove(read_symbol(symbol))
    return redirect_after_post("/watchlist")


@router.get("/universes")
def universes_page(page: PageDep) -> Response:
    return page.render()


@router.post("/universes")
def save_universe(submitted: SubmittedForm, watchlist: WatchlistDep, page: PageDep) -> Response:
    """Set a named list."""
    form = check_form(UniverseForm, submitted)
    if form.data is None:
        return page.render(universe_form=form)
    watchlist.save_universe(form.data.name, form.data.members)
    return redirect_after_post("/watchlist#universes")


@router.post("/universes/{name}/remove")
def drop_universe(name: str, watchlist: WatchlistDep) -> Response:
    """Forget a named list."""
    watchlist.drop_universe(name)
    return redirect_after_post("/watchlist#universes")
