"""SQL over the lake for people: DuckDB with one view per dataset on exactly the files that are live now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.contracts.datasets import ALL_DATASETS
from shared.storage.lake import Lake
from shared.storage.lake.files import RemoteFiles

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connect(lake: Lake) -> DuckDBPyConnection:
    """Return an in-memory DuckDB with a view per dataset. Times are shown in UTC.

    A view holds the files of this moment: later commits are not in it, and after the sweep's grace its files are
    gone. Columns that only some files of a dataset have are null in the others.
    """
    import duckdb

    # what it needs is built in; it must not fetch anything else from the network
    con = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    con.execute("set TimeZone = 'UTC'")
    if isinstance(lake.files, RemoteFiles):
        con.register_filesystem(lake.files.fs)
    for dataset in ALL_DATASETS:
        snapshot = lake.snapshot(dataset)
        if snapshot.files:
            paths = [lake.files.address(file.path(dataset)) for file in snapshot.files]
            relation = con.read_parquet(paths, union_by_name=True, hive_partitioning=False)
        else:
            relation = con.from_arrow(lake.read(snapshot).to_arrow())
        relation.create_view(dataset.name)
    return con
