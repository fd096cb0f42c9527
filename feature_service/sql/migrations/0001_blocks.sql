-- One built block: a symbol's month of one feature set. The row describes what the lake holds now; `content_hash` ties
-- it to the very file, so a row and a file that came from different builds are never taken for each other.
create table features.block (
    feature_set text not null,
    symbol text not null,
    month text not null,
    fingerprint text not null,
    bars_version text not null,
    -- the bars the block read: from here to the end of the month
    bars_from timestamptz not null,
    content_hash text not null,
    rows integer not null,
    first_ts timestamptz not null,
    last_ts timestamptz not null,
    job_id bigint not null,
    created_at timestamptz not null default now(),
    primary key (feature_set, symbol, month)
);

-- The effect of a finished features.build job: one row a block it made.
create function features.on_build(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into features.block (
        feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts, job_id
    )
    select
        block.feature_set, block.symbol, block.month, block.fingerprint, block.bars_version, block.bars_from,
        block.content_hash, block.rows, block.first_ts, block.last_ts, on_build.job_id
    from jsonb_populate_recordset(null::features.block, result -> 'built') as block
    on conflict (feature_set, symbol, month) do update set
        fingerprint = excluded.fingerprint,
        bars_version = excluded.bars_version,
        bars_from = excluded.bars_from,
        content_hash = excluded.content_hash,
        rows = excluded.rows,
        first_ts = excluded.first_ts,
        last_ts = excluded.last_ts,
        job_id = excluded.job_id,
        created_at = excluded.created_at;
$$;
