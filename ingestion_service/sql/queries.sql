-- name: missing_spans
-- The parts of a span that still are to be asked for: no provider gave bars there, and not all of them answered.
select lower(span) as start, upper(span) as "end"
from unnest(
    tstzmultirange(tstzrange(%(start)s, %(end)s))
    - coalesce(
        (
            select range_agg(piece)
            from ingestion.fetched, unnest(spans - empty) as piece
            where symbol = %(symbol)s and provider = any(%(providers)s)
        ),
        '{}'::tstzmultirange
    )
    - coalesce(
        (
            select range_intersect_agg(coalesce(known.spans, '{}'::tstzmultirange))
            from unnest(%(providers)s::text[]) as asked (provider)
            left join ingestion.fetched as known
                on known.symbol = %(symbol)s and known.provider = asked.provider
        ),
        '{}'::tstzmultirange
    )
) as span
order by span;

-- name: answered_spans
-- What providers answered in full of a symbol, those without a bar apart, in order.
select provider, lower(piece) as start, upper(piece) as "end", is_empty as empty
from ingestion.fetched
cross join lateral (
    select piece, false as is_empty from unnest(spans - empty) as piece
    union all
    select piece, true as is_empty from unnest(empty) as piece
) as pieces
where symbol = %(symbol)s
order by provider, piece;

-- name: record_fetched
-- A provider has answered a span in full; `empty` when without a bar.
insert into ingestion.fetched as known (symbol, provider, spans, empty)
values (
    %(symbol)s,
    %(provider)s,
    tstzmultirange(tstzrange(%(start)s, %(end)s)),
    case when %(empty)s then tstzmultirange(tstzrange(%(start)s, %(end)s)) else '{}'::tstzmultirange end
)
on conflict (symbol, provider) do update
set
    spans = known.spans + excluded.spans,
    empty = known.empty - excluded.spans + excluded.empty,
    updated_at = now();

-- name: forget_failures
-- What was asked in vain and has been answered since is no failure any more.
delete from ingestion.failed_asks
where
    symbol = %(symbol)s and provider = %(provider)s
    and span <@ (select spans from ingestion.fetched where symbol = %(symbol)s and provider = %(provider)s);

-- name: record_failed
-- A provider was asked and gave no answer.
insert into ingestion.failed_asks as known (symbol, provider, span, kind, reason)
values (%(symbol)s, %(provider)s, tstzrange(%(start)s, %(end)s), %(kind)s, %(reason)s)
on conflict (symbol, provider, span) do update
set kind = excluded.kind, reason = excluded.reason, asks = known.asks + 1, last_at = now();

-- name: failed_asks
-- What providers were asked of a symbol and have not answered, in order.
select provider, lower(span) as start, upper(span) as "end", kind, reason, asks, first_at, last_at
from ingestion.failed_asks
where symbol = %(symbol)s
order by provider, span;

-- name: record_drift
-- A field of a provider's answers is not as documented.
insert into ingestion.drift as known (provider, field, kind, type, expected, example, rows_seen)
values (%(provider)s, %(field)s, %(kind)s, %(type)s, %(expected)s, %(example)s, %(rows_seen)s)
on conflict (provider, field, kind, type) do update
set rows_seen = known.rows_seen + excluded.rows_seen, example = excluded.example, last_seen = now();

-- name: drift
-- All drift, newest first.
select provider, field, kind, type, expected, example, rows_seen, first_seen, last_seen
from ingestion.drift
order by last_seen desc, provider, field, kind, type;
