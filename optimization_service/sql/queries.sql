-- name: insert_batch
-- Record a batch that is being started; one that is there gets the new job.
insert into optimization.batch (fingerprint, definition, pairs, trials, job_id)
values (%(fingerprint)s, %(definition)s, %(pairs)s, %(trials)s, %(job_id)s)
on conflict (fingerprint) do update set job_id = excluded.job_id, ranked_at = null

-- name: forget_failures
-- Forget what of a batch could not be simulated, because it is tried again.
with gone as (delete from optimization.failure where batch = %(fingerprint)s)

delete from optimization.entry where batch = %(fingerprint)s and sweep is null

-- name: lock_batch
-- Keep other submissions of the same batch waiting until this transaction ends.
select pg_advisory_xact_lock(hashtextextended(%(fingerprint)s, 0))

-- name: definition
-- What a batch is, as it was asked.
select definition from optimization.batch where fingerprint = %(fingerprint)s

-- name: batches
-- A page of batches, newest first, or the one that is named, with its best Sharpe and how many trials have ended.
select
    batch.fingerprint,
    batch.definition,
    batch.pairs,
    batch.trials,
    batch.job_id,
    batch.created_at,
    batch.ranked_at,
    found.*
from optimization.batch
cross join lateral (
    select
        max(trial.sharpe) as best_sharpe,
        count(*)::integer as ranked,
        (count(*) filter (where entry.sweep is null))::integer as failed
    from optimization.entry
    left join optimization.trial using (sweep, index)
    where entry.batch = batch.fingerprint
) as found
where %(fingerprint)s::text is null or batch.fingerprint = %(fingerprint)s
order by batch.created_at desc, batch.fingerprint
limit %(limit)s offset %(offset)s

-- name: count_batches
-- How many batches there are.
select count(*) from optimization.batch

-- name: steps
-- The jobs of a batch since it was started last: each step's own job, and its groups' members by state.
-- Reads the queue's tables: which groups lead to which batch is known only to their continuations.
with run as (select id, created_at from jobs.job where id = %(job_id)s),

groups as (
    select
        grp.id,
        coalesce(jsonb_array_length(grp.continuation -> 'payload' -> 'trials'), 0) as points,
        grp.continuation_job_id
    from jobs.job_group as grp, run
    where grp.continuation -> 'payload' ->> 'batch' = %(fingerprint)s and grp.created_at >= run.created_at
),

chain as (
    select id from run
    union
    select continuation_job_id from groups where continuation_job_id is not null
)

select
    job.kind,
    job.state,
    job.error,
    1 as jobs,
    null::bigint as "group",
    0 as points
from jobs.job inner join chain on job.id = chain.id
union all
select
    member.kind,
    member.state,
    null,
    count(*)::integer,
    groups.id,
    groups.points
from groups
inner join jobs.membership on membership.group_id = groups.id
inner join jobs.job as member on membership.job_id = member.id
group by groups.id, groups.points, member.kind, member.state

-- name: live_jobs
-- The jobs of a batch, since it was started last, that have not ended: its own first.
with run as (select id, created_at from jobs.job where id = %(job_id)s),

groups as (
    select grp.id, grp.continuation_job_id
    from jobs.job_group as grp, run
    where grp.continuation -> 'payload' ->> 'batch' = %(fingerprint)s and grp.created_at >= run.created_at
),

ours as (
    select id, 0 as place from run
    union
    select continuation_job_id, 0 from groups where continuation_job_id is not null
    union
    select membership.job_id, 1 from groups inner join jobs.membership on membership.group_id = groups.id
)

select job.id
from jobs.job inner join ours on job.id = ours.id
where job.state in ('PENDING', 'RUNNING')
order by ours.place, job.id

-- name: members
-- The pairs of a batch, those with errors first, and what was tried of each.
select
    pair.value ->> 'model' as model,
    pair.value ->> 'symbol' as symbol,
    (pair.value -> 'window' ->> 'start')::timestamptz as window_start,
    (pair.value -> 'window' ->> 'end')::timestamptz as window_end,
    failure.error,
    (count(*) filter (where entry.sweep is not null))::integer as trials,
    (count(*) filter (where entry.batch is not null and entry.sweep is null))::integer as failed,
    max(trial.sharpe) as best_sharpe
from optimization.batch
cross join lateral jsonb_array_elements(batch.definition -> 'pairs') with ordinality as pair (value, place)
left join optimization.failure on failure.batch = batch.fingerprint and failure.pair = pair.place - 1
left join optimization.entry
    on entry.batch = batch.fingerprint and entry.point / %(settings)s::bigint = pair.place - 1
left join optimization.trial on trial.sweep = entry.sweep and trial.index = entry.index
where batch.fingerprint = %(batch)s
group by pair.place, pair.value, failure.error
order by (failure.error is null), symbol, model

-- name: trials
-- A page of the leaderboard: filtered, sorted by one column (undefined ones last), ties in a fixed order.
with listed as (
    select
        trial.*,
        place.number,
        place.plateau,
        place.neighbours,
        case %(source)s
            when 'setting' then trial.setting
            when 'metrics' then trial.metrics
            else
                jsonb_build_object(
                    'number', place.number, 'plateau', place.plateau, 'neighbours', place.neighbours,
                    'symbol', trial.symbol, 'model', trial.model
                )
        end -> %(sort)s as sorted
    from optimization.trial
    left join lateral (
        select entry.batch, entry.number, entry.plateau, entry.neighbours
        from optimization.entry
        where
            entry.sweep = trial.sweep and entry.index = trial.index
            and (%(batch)s::text is null or entry.batch = %(batch)s)
        order by entry.plateau desc nulls last, entry.batch
        limit 1
    ) as place on true
    where
        (%(batch)s::text is null or place.batch is not null)
        and (%(symbol)s::text is null or trial.symbol = %(symbol)s)
        and (%(model)s::text is null or starts_with(trial.model, %(model)s))
        and (%(terms)s::text is null or trial.terms_key = %(terms)s)
        and not exists (
            select from jsonb_to_recordset(%(wanted)s::jsonb) as asked (name text, value jsonb)
            where
                coalesce(trial.setting -> asked.name, 'null'::jsonb)
                is distinct from coalesce(asked.value, 'null'::jsonb)
        )
        and not exists (
            select
            from jsonb_to_recordset(%(bounds)s::jsonb) as bound (name text, low float8, high float8)
            cross join lateral (
                select
                    case bound.name
                        when 'plateau' then place.plateau
                        when 'neighbours' then place.neighbours
                        else coalesce(trial.metrics ->> bound.name, trial.setting ->> bound.name)::float8
                    end as value
            ) as figure
            where
                figure.value is null
                or figure.value < coalesce(bound.low, '-infinity') or figure.value > coalesce(bound.high, 'infinity')
        )
)

select
    sweep || '-' || index as run,
    sweep,
    index,
    model,
    symbol,
    setting,
    metrics,
    number,
    plateau,
    neighbours,
    window_start as start,
    window_end as "end",
    terms -> 'costs' as costs,
    (terms ->> 'starting_cash')::double precision as starting_cash,
    terms_key as terms,
    (count(*) over ())::integer as total
from listed
order by
    case when %(descending)s then nullif(sorted, 'null'::jsonb) end desc nulls last,
    case when not %(descending)s then nullif(sorted, 'null'::jsonb) end asc nulls last,
    symbol, model, sweep, index
limit %(limit)s offset %(offset)s

-- name: terms
-- Which trials can be compared with each other, of a batch or of all of them: those of most trials first, after them
-- those that paid nothing, and what is unknown last.
select
    terms_key as terms,
    (terms ->> 'first_day')::date as first_day,
    (terms ->> 'last_day')::date as last_day,
    terms -> 'costs' as costs,
    (terms ->> 'starting_cash')::double precision as starting_cash,
    count(*)::integer as trials
from optimization.trial
where
    %(batch)s::text is null
    or exists (
        select from optimization.entry
        where entry.batch = %(batch)s and entry.sweep = trial.sweep and entry.index = trial.index
    )
group by trial.terms_key, trial.terms
order by trial.terms -> 'costs' = '{}', trials desc, last_day desc, terms_key

-- name: spread
-- How many trials were made, the best Sharpe and their spread. No other filter: whoever looks at part of a search
-- still searched all of it, and what failed was tried, too.
select
    count(*)::integer as trials,
    max(trial.sharpe) as best_sharpe,
    stddev_samp(trial.sharpe) as sharpe_sd
from optimization.entry
left join optimization.trial using (sweep, index)
where entry.batch = %(batch)s

-- name: spread_of_all
-- The same of all batches together, each simulated setting once; of the same terms, since others spread otherwise.
select
    count(*)::integer as trials,
    max(sharpe) as best_sharpe,
    stddev_samp(sharpe) as sharpe_sd
from optimization.trial
where %(terms)s::text is null or terms_key = %(terms)s

-- name: scores
-- One figure of every trial of a batch, in the order they were chosen.
select
    entry.number,
    entry.point,
    (trial.metrics ->> %(figure)s)::double precision as value,
    coalesce(trial.trades, 0) as trades
from optimization.entry
left join optimization.trial using (sweep, index)
where entry.batch = %(batch)s
order by entry.number

-- name: broken_pairs
-- The pairs of a batch of which something could not be simulated.
select pair from optimization.failure where batch = %(batch)s order by pair

-- name: ranked_runs
-- The simulated settings of a batch's trials that have figures, in the order they were chosen.
select
    sweep,
    index
from optimization.entry
where batch = %(batch)s and sweep is not null
order by number
limit %(limit)s
