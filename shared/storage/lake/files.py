"""Where the files are: a local folder, or anything fsspec knows by URL. Files are added and removed, never changed."""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import polars as pl

from shared.errors import Conflict, NotFound, Unavailable


class Files(Protocol):
    """Paths are relative to the root, with forward slashes."""

    def add(self, path: str, content: bytes) -> None:
        """Put a file that lasts beyond a power cut. An existing one is left alone: same name, same content.

        Raises Unavailable, leaving nothing behind, when the place is full or cannot be written to.
        """
        ...

    def missing(self, paths: Sequence[str]) -> list[str]: ...

    def read(self, paths: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
        """Return the columns of all files, one after the other. A column is null where a file does not have it.

        Raises NotFound for a swept file, Conflict for one that was damaged.
        """
        ...

    def all(self) -> Iterator[tuple[str, datetime, int]]:
        """Every file under the root: path, when it was written, bytes."""
        ...

    def remove(self, path: str) -> None: ...

    def address(self, path: str) -> str:
        """Return the full path or URL."""
        ...


def open_files(root: str) -> Files:
    """Return the files under `root`: a folder, a file:// URL, or any other URL that fsspec has a backend for."""
    parts = urlsplit(root)
    if parts.scheme in ("", "file"):
        return LocalFiles(Path(unquote(parts.path) if parts.scheme else root).absolute())
    return RemoteFiles(root)


class LocalFiles:
    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, path: str, content: bytes) -> None:
        try:
            self._add(path, content)
        except OSError as error:
            reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
            raise Unavailable(f"cannot write to {self.root}: {reason}; nothing was changed") from error

    def _add(self, path: str, content: bytes) -> None:
        final = self.root / path
        if final.exists():
            return
        _make_folder(final.parent)
        # under a name nobody reads until it is whole; then linked, not renamed: a link never replaces
        draft = final.with_name(f".{final.name}.{secrets.token_hex(8)}.tmp")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, final)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(final.parent)

    def missing(self, paths: Sequence[str]) -> list[str]:
        return [path for path in paths if not (self.root / path).exists()]

    def read(self, paths: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
        sources = [self.root / path for path in paths]
        try:
            # all at once is twice as fast as one by one
            return pl.read_parquet(sources, columns=list(columns), hive_partitioning=False, glob=False)
        except (pl.exceptions.PolarsError, FileNotFoundError):
            # files of different columns; or one at fault, and reading them one by one tells which
            return _joined(paths, sources, columns, self.address)

    def all(self) -> Iterator[tuple[str, datetime, int]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    written = datetime.fromtimestamp(stat.st_mtime, UTC)
                    yield path.relative_to(self.root).as_posix(), written, stat.st_size

    def remove(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)

    def address(self, path: str) -> str:
        return str(self.root / path)


class RemoteFiles:
    """An object store: a put is whole or not there, and durable when it returns."""

    def __init__(self, root: str) -> None:
        from fsspec.core import url_to_fs

        self.root = root.rstrip("/")
        try:
            self.fs, self._base = url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise Unavailable(f"the lake's address {root} cannot be opened: {error}") from error

    def add(self, path: str, content: bytes) -> None:
        full = self._full(path)
        try:
            if not self.fs.exists(full):
                self.fs.makedirs(full.rsplit("/", 1)[0], exist_ok=True)
                self.fs.pipe_file(full, content)
        except OSError as error:
            raise Unavailable(f"cannot write to {self.address(path)}: {error}; nothing was changed") from error

    def missing(self, paths: Sequence[str]) -> list[str]:
        return [path for path in paths if not self.fs.exists(self._full(path))]

    def read(self, paths: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
        try:
            contents = self.fs.cat([self._full(path) for path in paths])
        except FileNotFoundError as error:
            raise _swept(str(error)) from None
        return _joined(paths, [io.BytesIO(contents[self._full(path)]) for path in paths], columns, self.address)

    def all(self) -> Iterator[tuple[str, datetime, int]]:
        found: dict[str, Any] = self.fs.find(self._base, detail=True)
        for full, info in found.items():
            yield full.removeprefix(self._base).lstrip("/"), self.fs.modified(full), info["size"]

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._full(path))

    def address(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _full(self, path: str) -> str:
        return f"{self._base.rstrip('/')}/{path}"


def _joined(
    paths: Sequence[str],
    sources: Sequence[Path | io.BytesIO],
    columns: Sequence[str],
    address: Callable[[str], str],
) -> pl.DataFrame:
    parts = [_parsed(address(path), source, columns) for path, source in zip(paths, sources, strict=True)]
    return pl.concat(parts, how="diagonal_relaxed", rechunk=True)


def _parsed(address: str, source: Path | io.BytesIO, columns: Sequence[str]) -> pl.DataFrame:
    try:
        there = pl.read_parquet_schema(source)
        if isinstance(source, io.BytesIO):
            source.seek(0)
        wanted = [name for name in columns if name in there]
        return pl.read_parquet(source, columns=wanted, hive_partitioning=False, glob=False)
    except FileNotFoundError:
        raise _swept(address) from None
    except pl.exceptions.PolarsError as error:
        raise Conflict(f"{address} cannot be read, it was changed or damaged outside the lake: {error}") from error


def _swept(address: str) -> NotFound:
    return NotFound(f"{address} is gone: the snapshot is older than the sweep's grace, take a new one")


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
