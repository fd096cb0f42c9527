-- The build log also says how many estimations were found, and how long the build took from its worker's claim to here.
alter table features.build_log add column fits_reused integer not null default 0;
alter table features.build_log add column seconds double precision;

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

    insert into features.build_log (
        job_id, feature_set, symbol, months, hits, misses, fits_made, fits_reused, rows, seconds
    )
    select
        on_build.job_id, result ->> 'feature_set', result ->> 'symbol', (result ->> 'months')::integer,
        (result ->> 'reused')::integer, jsonb_array_length(result -> 'built'),
        jsonb_array_length(coalesce(result -> 'fits', '[]')), coalesce((result ->> 'fits_reused')::integer, 0),
        (result ->> 'rows')::bigint,
        (select extract(epoch from clock_timestamp() - job.started_at) from jobs.job where job.id = on_build.job_id)
    on conflict (job_id) do nothing;
$$;
