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

-- name: touched
-- Those of many symbols of which somebody has answered part of a span.
select distinct symbol
from ingestion.fetched
where
    symbol = any(%(symbols)s) and provider = any(%(providers)s)
    and spans && tstzrange(%(start)s, %(end)s);

-- name: answered_spans
-- What providers answered in full of some symbols, those without a bar apart, in order.
select symbol, provider, lower(piece) as start, upper(piece) as "end", is_empty as empty
from ingestion.fetched
cross join lateral (
    select piece, false as is_empty from unnest(spans - empty) as piece
    union all
    select piece, true as is_empty from unnest(empty) as piece
) as pieces
where symbol = any(%(symbols)s)
order by symbol, provider, piece;

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

-- name: missing_days
-- The trading days of a span that none of the providers has answered.
select lower(piece) as start, upper(piece) as "end"
from unnest(
    datemultirange(daterange(%(start)s, %(end)s))
    - coalesce(
        (
            select range_agg(known)
            from ingestion.fetched_days, unnest(days) as known
            where symbol = %(symbol)s and provider = any(%(providers)s)
        ),
        '{}'::datemultirange
    )
) as piece
order by piece;

-- name: record_days
-- A provider has answered a span of trading days.
insert into ingestion.fetched_days as known (symbol, provider, days)
values (%(symbol)s, %(provider)s, datemultirange(daterange(%(start)s, %(end)s)))
on conflict (symbol, provider) do update
set days = known.days + excluded.days, updated_at = now();

-- name: forget_answers
-- A span is as if nobody, or not that provider, had been asked for it.
update ingestion.fetched
set
    spans = spans - tstzmultirange(tstzrange(%(start)s, %(end)s)),
    empty = empty - tstzmultirange(tstzrange(%(start)s, %(end)s)),
    updated_at = now()
where symbol = %(symbol)s and (%(provider)s::text is null or provider = %(provider)s);

-- name: forget_days
-- The same of daily bars before a moment.
update ingestion.fetched_days
set days = days - datemultirange(daterange(null, (%(before)s at time zone 'America/New_York')::date)), updated_at = now()
where symbol = %(symbol)s;

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

-- name: last_failures
-- Of each symbol the newest question that was not answered.
select distinct on (symbol) symbol, provider, kind, reason, last_at
from ingestion.failed_asks
order by symbol, last_at desc, provider;

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

-- name: watched
-- The watchlist.
select symbol, since, live, added_at from ingestion.watched order by symbol;

-- name: watch
-- Put a symbol on the watchlist; one that is there gets the new wishes, and never a later first day.
insert into ingestion.watched as w (symbol, since, live) values (%(symbol)s, %(since)s, %(live)s)
on conflict (symbol) do update set since = least(w.since, excluded.since), live = excluded.live;

-- name: unwatch
-- Take a symbol off the watchlist.
delete from ingestion.watched where symbol = %(symbol)s;

-- name: universes
-- Every named list of symbols.
select name, symbols, changed_at from ingestion.universe order by name;

-- name: save_universe
-- Set a named list of symbols.
insert into ingestion.universe (name, symbols) values (%(name)s, %(symbols)s)
on conflict (name) do update set symbols = excluded.symbols, changed_at = now();

-- name: drop_universe
-- Forget a named list of symbols.
delete from ingestion.universe where name = %(name)s;

-- name: agents
-- Every agent that was ever started.
select
    name, wanted, options, heartbeat_at, note, alert, alert_since, runs, last_ended_at, last_result,
    extract(epoch from clock_timestamp() - heartbeat_at)::float8 as heartbeat_age_s
from ingestion.agent;

-- name: want_agent
-- Say what an agent is to do; options of null stay as they are. An alert ends when somebody steps in.
insert into ingestion.agent as a (name, wanted, options)
values (%(name)s, %(wanted)s, coalesce(%(options)s::jsonb, '{}'))
on conflict (name) do update
set wanted = excluded.wanted, options = coalesce(%(options)s::jsonb, a.options), alert = null, alert_since = null,
    changed_at = now();

-- name: set_agent_options
-- Change an agent's options and nothing else.
insert into ingestion.agent (name, options) values (%(name)s, %(options)s)
on conflict (name) do update set options = excluded.options, changed_at = now();

-- name: agent_options
-- An agent's options.
select options from ingestion.agent where name = %(name)s;

-- name: agent_beat
-- A run lives: note what it does; what the agent is wanted to do.
update ingestion.agent set heartbeat_at = clock_timestamp(), note = %(note)s where name = %(name)s returning wanted;

-- name: agent_alert
-- Something is wrong with an agent, or (null) nothing is any more; since when stays while it is wrong.
-- A run that has not heard yet that it was halted says nothing of an agent that nobody wants to run.
update ingestion.agent
set
    alert = %(alert)s::text,
    alert_since = case when %(alert)s::text is null then null else coalesce(alert_since, clock_timestamp()) end
where name = %(name)s and (%(alert)s::text is null or wanted = 'running');

-- name: note_trouble
-- Count an error of a class in this hour.
insert into ingestion.trouble as t (hour, agent, kind, example)
values (date_trunc('hour', clock_timestamp()), %(agent)s, %(kind)s, %(example)s)
on conflict (hour, agent, kind) do update
set count = t.count + 1, last_at = clock_timestamp(), example = excluded.example;

-- name: forget_trouble
-- Errors older than a week are forgotten.
delete from ingestion.trouble where hour < clock_timestamp() - interval '7 days';

-- name: trouble_hours
-- Errors an agent met in each hour from a moment on.
select hour, sum(count)::bigint as errors
from ingestion.trouble
where agent = %(agent)s and hour >= %(since)s
group by hour;

-- name: troubles
-- Errors by agent and class: in the last hour, day and week.
select
    agent, kind,
    coalesce(sum(count) filter (where last_at > clock_timestamp() - interval '1 hour'), 0)::bigint as last_hour,
    coalesce(sum(count) filter (where hour > clock_timestamp() - interval '1 day'), 0)::bigint as last_day,
    sum(count)::bigint as last_week,
    max(last_at) as last_at,
    (array_agg(example order by last_at desc))[1] as example
from ingestion.trouble
group by agent, kind
order by max(last_at) desc;

-- name: record_release
-- A refused row was judged good; of a minute the newest release counts.
insert into ingestion.released (
    symbol, ts, open, high, low, close, volume, source, reason, released_by, why
) values (
    %(symbol)s, %(ts)s, %(open)s, %(high)s, %(low)s, %(close)s, %(volume)s, %(source)s, %(reason)s, %(released_by)s,
    %(why)s
)
on conflict (symbol, ts) do update
set
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
    source = excluded.source, reason = excluded.reason, released_by = excluded.released_by, why = excluded.why,
    released_at = now();

-- name: released
-- Released rows of one symbol (null: of all) in [start, end), in order.
select symbol, ts, open, high, low, close, volume, source, reason, released_by, why, released_at
from ingestion.released
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and ts >= coalesce(%(start)s::timestamptz, '-infinity') and ts < coalesce(%(end)s::timestamptz, 'infinity')
order by symbol, ts;
