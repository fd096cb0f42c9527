-- name: blocks
-- The blocks of a symbol and set, by month.
select
    feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts,
    reads, bars_hash, job_id, created_at
from features.block
where
    feature_set = %(feature_set)s and symbol = %(symbol)s
    and (%(months)s::text[] is null or month = any(%(months)s))
order by month

-- name: take_turn
-- Whether nobody else makes this block now; if so, others are told no until the end of the transaction.
select pg_try_advisory_xact_lock(
    hashtextextended('feature block ' || %(feature_set)s || ' ' || %(symbol)s || ' ' || %(month)s, 0)
)

-- name: register_block
-- A block that was made, in place of the one before.
insert into features.block (
    feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts,
    reads, bars_hash, job_id, created_at
)
select
    feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts,
    reads, bars_hash, job_id, clock_timestamp()
from jsonb_populate_record(null::features.block, %(block)s)
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
    created_at = excluded.created_at

-- name: count_made
-- One more time that a block was made.
insert into features.made (fingerprint, times) values (%(fingerprint)s, 1)
on conflict (fingerprint) do update set times = features.made.times + 1

-- name: take_turn_at_fit
-- Whether nobody else makes this estimation now; if so, others are told no until the end of the transaction.
select pg_try_advisory_xact_lock(hashtextextended('feature fit ' || %(fingerprint)s, 0))

-- name: keep_fit
-- What an estimation left behind.
insert into features.fit (fingerprint, name, symbol, month, numbers, job_id)
values (%(fingerprint)s, %(name)s, %(symbol)s, %(month)s, %(numbers)s::jsonb, %(job_id)s)
on conflict (fingerprint) do nothing

-- name: coverage
-- What is built of each set and symbol.
select
    feature_set,
    symbol,
    count(*)::integer as months,
    sum(rows)::bigint as rows,
    min(first_ts) as first_ts,
    max(last_ts) as last_ts,
    max(created_at) as built_at
from features.block
where
    (%(feature_set)s::text is null or feature_set = %(feature_set)s)
    and (%(symbol)s::text is null or symbol = %(symbol)s)
group by feature_set, symbol
order by symbol, feature_set
limit %(limit)s offset %(offset)s

-- name: count_coverage
-- How many pairs of set and symbol the same filters leave.
select count(*)
from (
    select distinct feature_set, symbol
    from features.block
    where
        (%(feature_set)s::text is null or feature_set = %(feature_set)s)
        and (%(symbol)s::text is null or symbol = %(symbol)s)
) as pair

-- name: built_symbols
-- The symbols that something of a set, or of any, is built for.
select coalesce(array_agg(distinct symbol), '{}')
from features.block
where %(feature_set)s::text is null or feature_set = %(feature_set)s

-- name: fit
-- What an estimation left behind.
select fingerprint, name, symbol, month, numbers
from features.fit
where fingerprint = %(fingerprint)s

-- name: builds
-- Finished builds, the newest first.
select job_id, feature_set, symbol, months, hits, misses, fits_made, fits_reused, rows, seconds, created_at
from features.build_log
where %(symbol)s::text is null or symbol = %(symbol)s
order by job_id desc
limit %(limit)s offset %(offset)s

-- name: count_builds
-- How many finished builds the same filter leaves.
select count(*) from features.build_log where %(symbol)s::text is null or symbol = %(symbol)s

-- name: build_counts
-- How much of all that was asked for was there already, since a moment or ever.
select
    count(*)::integer as builds,
    coalesce(sum(hits), 0)::bigint as hits,
    coalesce(sum(misses), 0)::bigint as misses,
    coalesce(sum(fits_made), 0)::bigint as fits_made,
    coalesce(sum(fits_reused), 0)::bigint as fits_reused,
    coalesce(sum(rows), 0)::bigint as rows_made,
    coalesce(sum(seconds), 0)::double precision as seconds,
    (select count(*) from features.made where times > 1)::bigint as blocks_made_twice
from features.build_log
where %(since)s::timestamptz is null or created_at >= %(since)s

-- name: definitions
-- What made the columns of a set's id.
select f.name, f.version, f.parameters_hash, f.parameters, f.source, f.formula, f.stored, f.created_at
from features.member as m
inner join features.feature as f using (name, version, parameters_hash)
where m.feature_set = %(feature_set)s
order by f.name

-- name: known_sets
-- Every set's id that something was built of.
select
    feature_set,
    count(distinct symbol)::integer as symbols,
    sum(rows)::bigint as rows,
    max(created_at) as built_at
from features.block
group by feature_set
order by max(created_at) desc
