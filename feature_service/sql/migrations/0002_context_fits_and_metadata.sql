-- Blocks may read other symbols' bars and estimations made once a month; what made them can be looked up for good.
-- `reads`: symbol and oldest month of every span of bars that took part; `bars_hash`: exactly the rows that were read.
alter table features.block add column reads jsonb;
alter table features.block add column bars_hash text;
update features.block
set reads = jsonb_build_array(
    jsonb_build_object('symbol', symbol, 'since', to_char(bars_from at time zone 'UTC', 'YYYY-MM'))
);
alter table features.block alter column reads set not null;

-- What a scheduled estimation left behind, named by all that went into it. Null numbers: the past was too short.
create table features.fit (
    fingerprint text primary key,
    name text not null,
    symbol text not null,
    month text not null,
    numbers jsonb,
    job_id bigint not null,
    created_at timestamptz not null default now()
);

-- Every declaration a built column was ever made by, so that data of old versions stay explained.
create table features.feature (
    name text not null,
    version integer not null,
    parameters_hash text not null,
    parameters jsonb not null,
    source text not null,
    formula text not null,
    stored text not null,
    created_at timestamptz not null default now(),
    primary key (name, version, parameters_hash)
);

-- Which of them made the columns of a set's id.
create table features.member (
    feature_set text not null,
    name text not null,
    version integer not null,
    parameters_hash text not null,
    primary key (feature_set, name)
);

-- One row a finished build: how much was there already, how much was made.
create table features.build_log (
    job_id bigint primary key,
    feature_set text not null,
    symbol text not null,
    months integer not null,
    hits integer not null,
    misses integer not null,
    fits_made integer not null,
    rows bigint not null,
    created_at timestamptz not null default now()
);

-- How often each block was made: more than once is work done twice.
create table features.made (
    fingerprint text primary key,
    times integer not null
);

-- The effect of a finished features.build job.
create or replace function features.on_build(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into features.block (
        feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts,
        reads, bars_hash, job_id
    )
    select
        block.feature_set, block.symbol, block.month, block.fingerprint, block.bars_version, block.bars_from,
        block.content_hash, block.rows, block.first_ts, block.last_ts, block.reads, block.bars_hash, on_build.job_id
    from jsonb_populate_recordset(null::features.block, result -> 'built') as block
    on conflict (feature_set, symbol, month) do update set
        fingerprint = excluded.fingerprint,
        bars_version = excluded.bars_version,
        bars_from = excluded.bars_from,
        content_hash = excluded.content_hash,
        rows = excluded.rows,
        first_ts = excluded.first_ts,
        last_ts = excluded.last_ts,
        reads = excluded.reads,
        bars_hash = excluded.bars_hash,
        job_id = excluded.job_id,
        created_at = excluded.created_at;

    -- the same rows in other files: the block stays, and is found faster next time
    update features.block as known
    set bars_version = seen.bars_version, bars_from = seen.bars_from, reads = seen.reads
    from jsonb_populate_recordset(null::features.block, result -> 'confirmed') as seen
    where known.fingerprint = seen.fingerprint;

    insert into features.made (fingerprint, times)
    select block.fingerprint, 1
    from jsonb_populate_recordset(null::features.block, result -> 'built') as block
    on conflict (fingerprint) do update set times = features.made.times + 1;

    insert into features.fit (fingerprint, name, symbol, month, numbers, job_id)
    select fit.fingerprint, fit.name, fit.symbol, fit.month, fit.numbers, on_build.job_id
    from jsonb_populate_recordset(null::features.fit, result -> 'fits') as fit
    on conflict (fingerprint) do nothing;

    insert into features.feature (name, version, parameters_hash, parameters, source, formula, stored)
    select one.name, one.version, one.parameters_hash, one.parameters, one.source, one.formula, one.stored
    from jsonb_populate_recordset(null::features.feature, result -> 'definitions') as one
    on conflict (name, version, parameters_hash) do nothing;

    insert into features.member (feature_set, name, version, parameters_hash)
    select result ->> 'feature_set', one.name, one.version, one.parameters_hash
    from jsonb_populate_recordset(null::features.feature, result -> 'definitions') as one
    on conflict (feature_set, name) do nothing;

    insert into features.build_log (job_id, feature_set, symbol, months, hits, misses, fits_made, rows)
    select
        on_build.job_id, result ->> 'feature_set', result ->> 'symbol', (result ->> 'months')::integer,
        (result ->> 'reused')::integer, jsonb_array_length(result -> 'built'),
        jsonb_array_length(coalesce(result -> 'fits', '[]')), (result ->> 'rows')::bigint
    on conflict (job_id) do nothing;
$$;
