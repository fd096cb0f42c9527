-- What a trial was tried under: only trials of the same days, costs and cash can be ranked against each other.

-- The terms of a trial. Days count from the first to the last that the window reaches into, so windows that end at the
-- last bars of two symbols of one evening are the same; a cost of nothing is left out.
create function optimization.terms_of(span jsonb, costs jsonb, starting_cash jsonb) returns jsonb
language sql stable as $$
    select jsonb_build_object(
        'first_day', ((span ->> 'start')::timestamptz at time zone 'UTC')::date,
        'last_day', (((span ->> 'end')::timestamptz - interval '1 microsecond') at time zone 'UTC')::date,
        'costs', coalesce(
            (
                select jsonb_object_agg(cost.key, cost.value)
                from jsonb_each(terms_of.costs) as cost
                where cost.value not in ('null'::jsonb, '0'::jsonb)
            ),
            '{}'
        ),
        'starting_cash', trim_scale((terms_of.starting_cash #>> '{}')::numeric)
    );
$$;

alter table optimization.trial
    add column window_start timestamptz,
    add column window_end timestamptz,
    -- null: of before terms were kept, and its batch is gone
    add column terms jsonb,
    add column terms_key text not null generated always as (coalesce(left(md5(terms::text), 10), 'unknown')) stored;

update optimization.trial set
    window_start = (found.span ->> 'start')::timestamptz,
    window_end = (found.span ->> 'end')::timestamptz,
    terms = optimization.terms_of(found.span, found.costs, found.starting_cash)
from (
    select distinct on (entry.sweep, entry.index)
        entry.sweep,
        entry.index,
        pair.value -> 'window' as span,
        batch.definition -> 'costs' as costs,
        batch.definition -> 'starting_cash' as starting_cash
    from optimization.entry
    inner join optimization.batch on batch.fingerprint = entry.batch
    inner join optimization.trial as tried on tried.sweep = entry.sweep and tried.index = entry.index
    cross join lateral jsonb_array_elements(batch.definition -> 'pairs') as pair (value)
    where pair.value ->> 'model' = tried.model and pair.value ->> 'symbol' = tried.symbol
    order by entry.sweep, entry.index
) as found
where trial.sweep = found.sweep and trial.index = found.index;

create index trial_by_terms on optimization.trial (terms_key);

-- As before, with the terms of each trial.
create or replace function optimization.on_rank(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into optimization.trial (sweep, index, model, symbol, setting, metrics, window_start, window_end, terms)
    select
        job.result ->> 'fingerprint',
        (run ->> 'index')::integer,
        job.payload ->> 'model',
        job.payload ->> 'symbol',
        job.payload -> 'settings' -> (run ->> 'index')::integer,
        run -> 'metrics',
        (job.payload -> 'window' ->> 'start')::timestamptz,
        (job.payload -> 'window' ->> 'end')::timestamptz,
        optimization.terms_of(job.payload -> 'window', job.payload -> 'costs', job.payload -> 'starting_cash')
    from jsonb_array_elements(on_rank.result -> 'sweeps') as named
    inner join jobs.job on job.id = (named ->> 'job')::bigint
    cross join lateral jsonb_array_elements(job.result -> 'runs') as run
    on conflict (sweep, index) do nothing;

    insert into optimization.entry (batch, point, number, sweep, index)
    select
        on_rank.result ->> 'batch',
        (place.point #>> '{}')::bigint,
        (named -> 'numbers' ->> (place.at - 1)::integer)::integer,
        job.result ->> 'fingerprint',
        place.at - 1
    from jsonb_array_elements(on_rank.result -> 'sweeps') as named
    inner join jobs.job on job.id = (named ->> 'job')::bigint
    cross join lateral jsonb_array_elements(named -> 'points') with ordinality as place (point, at)
    on conflict (batch, point) do nothing;

    insert into optimization.entry (batch, point, number)
    select on_rank.result ->> 'batch', (item ->> 'point')::bigint, (item ->> 'number')::integer
    from jsonb_array_elements(on_rank.result -> 'failed') as item
    on conflict (batch, point) do nothing;

    insert into optimization.failure (batch, pair, error)
    select on_rank.result ->> 'batch', (item ->> 'pair')::integer, item ->> 'error'
    from jsonb_array_elements(on_rank.result -> 'failures') as item
    on conflict (batch, pair) do update set error = excluded.error;

    update optimization.entry set plateau = (item ->> 1)::double precision, neighbours = (item ->> 2)::integer
    from jsonb_array_elements(on_rank.result -> 'plateaus') as item
    where entry.batch = on_rank.result ->> 'batch' and entry.point = (item ->> 0)::bigint;

    update optimization.batch set ranked_at = now()
    where fingerprint = on_rank.result ->> 'batch' and (on_rank.result ->> 'last')::boolean;
$$;
