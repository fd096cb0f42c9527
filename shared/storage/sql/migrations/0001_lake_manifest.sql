-- One row per committed Parquet file. A file's place follows from its row:
-- <root>/<dataset>/<partition>/<content_hash>.parquet
create table lake.file (
    id bigint generated always as identity primary key,
    dataset text not null,
    -- "symbol=SPY/month=2024-05"; byte order, so that a prefix is a range of the index on any server
    partition text collate "C" not null,
    partition_values jsonb not null,
    content_hash text not null,
    columns text [] not null,
    row_count bigint not null,
    byte_count bigint not null,
    min_ts timestamptz,
    max_ts timestamptz,
    committed_at timestamptz not null,
    superseded_at timestamptz
);

-- a partition has one live file: the second of two writers who both saw none is refused here
create unique index file_live on lake.file (dataset, partition) where superseded_at is null;
create index file_history on lake.file (dataset, partition, committed_at);
create index file_superseded on lake.file (superseded_at) where superseded_at is not null;
