"""What the frame around every page says: which service, its siblings, the version, where files are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from shared.settings import ServiceSettings
from shared.web.assets import Assets


@cache
def product_version() -> str:
    """Return the installed version of barsmith."""
    try:
        return version("barsmith")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unreleased"


@dataclass(frozen=True)
class Shell:
    """The same for every page of one service."""

    service: str
    title: str
    services: dict[str, str]  # name -> base URL, in the order of the pipeline
    letters: dict[str, str]  # name -> the key after "g" that goes there
    version: str
    static: str
    vendor: str

    @classmethod
    def of(cls, settings: ServiceSettings, title: str, assets: Assets) -> Shell:
        commit = os.environ.get("BARSMITH_COMMIT", "")[:10]
        return cls(
            service=settings.name,
            title=title,
            services=settings.browser_urls,
            letters=_letters(settings.service_urls),
            version=f"{product_version()} {commit}".strip(),
            static=assets.static_url,
            vendor=assets.vendor_url,
        )


def _letters(names: Iterable[str]) -> dict[str, str]:
    """For each name its first letter that no earlier name took; `j` stays free for the jobs page."""
    letters: dict[str, str] = {}
    for name in names:
        letters[name] = next(letter for letter in name if letter not in {"j", *letters.values()})
    return letters
