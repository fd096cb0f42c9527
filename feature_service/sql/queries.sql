-- name: blocks
-- The blocks of a symbol and set, by month.
select
    feature_set, symbol, month, fingerprint, bars_version, bars_from, content_hash, rows, first_ts, last_ts,
    reads, bars_hash, created_at
from features.block
where feature_set = %(feature_set)s and symbol = %(symbol)s
order by month

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

-- name: fit
-- What an estimation left behind.
select fingerprint, name, symbol, month, numbers
from features.fit
where fingerprint = %(fingerprint)s
