"""The lake: immutable Parquet files, and a manifest in Postgres that says which of them are the data.

A write makes new files, named by their content, and then swaps manifest rows in one transaction; a read asks the
manifest for exact files. Nothing is ever replaced in place, and nobody lists folders to find data.
"""

from shared.storage.lake.lake import Lake, migrate_lake
from shared.storage.lake.model import Commit, PartitionInfo, Snapshot, SweepReport, Usage

__all__ = ["Commit", "Lake", "PartitionInfo", "Snapshot", "SweepReport", "Usage", "migrate_lake"]
