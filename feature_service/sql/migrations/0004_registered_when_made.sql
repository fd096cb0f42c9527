-- A block and its estimations are registered as soon as they are made, so that other builds find them; what is left for
-- the end of a job is what it says about itself.
create or replace function features.on_build(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    -- the same rows in other files: the block stays, and is found faster next time
    update features.block as known
    set bars_version = seen.bars_version, bars_from = seen.bars_from, reads = seen.reads
    from jsonb_populate_recordset(null::features.block, result -> 'confirmed') as seen
    where known.fingerprint = seen.fingerprint;

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
