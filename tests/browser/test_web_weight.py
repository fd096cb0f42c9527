"""What a page costs on the wire, first and second visit."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def weigh(context, url: str) -> tuple[int, dict[str, int], float]:
    """Bytes received in all, by address, and milliseconds from the request to the first paint of everything."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    addresses: dict[str, str] = {}
    received: dict[str, int] = {}
    session.on("Network.responseReceived", lambda got: addresses.update({got["requestId"]: got["response"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda got: received.update({addresses.get(got["requestId"], "?"): int(got["encodedDataLength"])}),
    )
    page.goto(url)
    page.wait_for_selector('html[data-ready="1"]', state="attached")
    milliseconds = page.evaluate("performance.now()")
    page.close()
    return sum(received.values()), received, milliseconds


@pytest.mark.parametrize(("path", "limit"), [("/jobs", 60_000), ("/", 60_000), ("/runs/3", 250_000)])
def test_page_is_light_and_its_second_visit_lighter(chromium, example, path, limit):
    context = chromium.new_context()
    first, _, cold = weigh(context, example.url + path)
    _, by_address, _ = weigh(context, example.url + path)
    context.close()
    assert first <= limit
    assert sum(size for address, size in by_address.items() if "/vendor/" in address or "/static/" in address) == 0
    assert cold < 5_000  # generous: the machine may be shared
