"""Files for the browser: the house's own under /static, the chart library under /vendor.

Every address holds a hash of the content, so answers never go stale and browsers may keep them for ever.
The chart library comes out of an installed wheel. The wheel's package is never imported, and the file's hash is
pinned to the bytes the library's authors published: a changed or missing file stops the service at start-up.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from fastapi import APIRouter, Request, Response

from shared.errors import NotFound

FOREVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class AssetProblem(RuntimeError):
    """A file the pages need is missing or not the one that was pinned; the message says what to run."""


@dataclass(frozen=True)
class Asset:
    """One file, held in memory."""

    name: str
    content: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, compresslevel=9, mtime=0)

    def answer(self, request: Request, cache: str = FOREVER) -> Response:
        """Answer with the file, compressed when the client takes that."""
        headers = {"Cache-Control": cache, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        media_type = _TYPES[Path(self.name).suffix]
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, headers=headers, media_type=media_type)
        return Response(self.content, headers=headers, media_type=media_type)


@dataclass(frozen=True)
class VendorFile:
    """A third-party file inside an installed distribution."""

    distribution: str
    path: str
    name: str
    sha256: str


#: lightweight-charts 5.2.0, Apache-2.0, TradingView; the bytes of npm's lightweight-charts@5.2.0
LIGHTWEIGHT_CHARTS = VendorFile(
    distribution="lwcharts",
    path="lwcharts/vendor/lightweight-charts.standalone.production.js",
    name="lightweight-charts.js",
    sha256="c0992580867c4912cc9385b3c2728315bcc1a76c7f1087dca908430fccdf31d7",
)


def load_vendor(wanted: VendorFile) -> Asset:
    """Read the file out of its distribution and compare its hash.

    Raises
    ------
    AssetProblem
        The distribution is not installed, or the file is missing or differs from the pinned one.
    """
    remedy = f"run: pip install --force-reinstall {wanted.distribution}==0.3.0"
    try:
        content = Path(str(distribution(wanted.distribution).locate_file(wanted.path))).read_bytes()
    except (PackageNotFoundError, OSError) as error:
        raise AssetProblem(f"The chart library {wanted.path} is not installed; {remedy}") from error
    asset = Asset(wanted.name, content)
    if asset.sha256 != wanted.sha256:
        raise AssetProblem(
            f"The chart library {wanted.path} has sha256 {asset.sha256[:12]}… instead of "
            f"{wanted.sha256[:12]}…; {remedy}"
        )
    return asset


@dataclass(frozen=True)
class Assets:
    """Everything the browser loads besides pages and data."""

    static: dict[str, Asset]
    vendor: Asset

    @classmethod
    def load(cls) -> Assets:
        """Read all files once.

        Raises
        ------
        AssetProblem
            See `load_vendor`.
        """
        folder = Path(__file__).parent / "static"
        files = sorted(path for path in folder.iterdir() if path.suffix in _TYPES)
        return cls({path.name: Asset(path.name, path.read_bytes()) for path in files}, load_vendor(LIGHTWEIGHT_CHARTS))

    @cached_property
    def build(self) -> str:
        """Hash over all first-party files: the folder name of this build."""
        digest = hashlib.sha256()
        for name, asset in self.static.items():
            digest.update(f"{name}:{asset.sha256}\n".encode())
        return digest.hexdigest()[:12]

    @property
    def static_url(self) -> str:
        return f"/static/{self.build}"

    @property
    def vendor_url(self) -> str:
        return f"/vendor/{self.vendor.sha256[:12]}/{self.vendor.name}"


def asset_router(assets: Assets) -> APIRouter:
    """Routes of /static, /vendor and the favicon."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{build}/{name}")
    def static_file(request: Request, build: str, name: str) -> Response:
        if build != assets.build or name not in assets.static:
            raise NotFound(f"There is no file {name} in build {build}; reload the page.")
        return assets.static[name].answer(request)

    @router.get("/vendor/{sha12}/{name}")
    def vendor_file(request: Request, sha12: str, name: str) -> Response:
        if (sha12, name) != (assets.vendor.sha256[:12], assets.vendor.name):
            raise NotFound(f"There is no file {name} with hash {sha12}; reload the page.")
        return assets.vendor.answer(request)

    @router.get("/favicon.ico")
    def favicon(request: Request) -> Response:
        return assets.static["favicon.svg"].answer(request, "public, max-age=86400")  # no hash in this address

    return router
