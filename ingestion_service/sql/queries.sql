-- name: missing_spans
-- The parts of a span that a provider has not answered yet, in order.
select lower(span) as start, upper(span) as "end"
from unnest(
    tstzmultirange(tstzrange(%(start)s, %(end)s))
    - coalesce(
        (
            select spans from ingestion.fetched
            where symbol = %(symbol)s and provider = %(provider)s
        ),
        '{}'::tstzmultirange
    )
) as span
order by span;

-- name: record_fetched
-- A provider has answered a span in full.
insert into ingestion.fetched as known (symbol, provider, spans)
values (%(symbol)s, %(provider)s, tstzmultirange(tstzrange(%(start)s, %(end)s)))
on conflict (symbol, provider) do update
set spans = known.spans + excluded.spans, updated_at = now();
