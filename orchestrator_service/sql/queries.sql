-- name: insert_run
-- Add a run unless its fingerprint is there; touches no row then.
insert into orchestrator.run (id, symbol, plan, periods, data_version, obstacle)
values (
    %(id)s, %(symbol)s, %(plan)s::jsonb, %(periods)s::jsonb, %(data_version)s, %(obstacle)s
)
on conflict (id) do nothing;

-- name: restart_run
-- Put a run that failed or was cancelled back to its beginning; what it trained and tried stays.
update orchestrator.run set
    state = 'running', stage = 'training', generation = 0, reason = null, finished_at = null, job_id = null
where id = %(id)s and state in ('failed', 'cancelled');

-- name: insert_model
-- Ask for a model of the first generation.
insert into orchestrator.model (run, slot, generation, request)
values (%(run)s, %(slot)s, 0, %(request)s::jsonb)
on conflict (run, slot) do nothing;

-- name: set_job
-- Remember the job that began the run.
update orchestrator.run set job_id = %(job_id)s where id = %(id)s;

-- name: end_run
-- End a running run, and with it what waits to be tried.
select orchestrator.end_run(%(id)s, %(state)s, %(reason)s) as ended;

-- name: lock_key
-- Make requests with one key queue up until this transaction ends.
select pg_advisory_xact_lock(hashtextextended('orchestrator request ' || %(key)s, 0)) as locked;

-- name: request
-- What a key stands for.
select key, body, runs from orchestrator.request where key = %(key)s;

-- name: insert_request
-- Remember what a key stands for.
insert into orchestrator.request (key, body, runs) values (%(key)s, %(body)s, %(runs)s);

-- name: run
-- One run.
select
    id, symbol, plan, periods, data_version, obstacle, state, stage, generation, reason, evidence, verdict, job_id,
    created_at, finished_at
from orchestrator.run where id = %(id)s;

-- name: runs
-- A page of runs, newest first.
select
    id, symbol, plan, periods, data_version, obstacle, state, stage, generation, reason, evidence, verdict, job_id,
    created_at, finished_at
from orchestrator.run
where
    (%(state)s::text is null or state = %(state)s) and (%(symbol)s::text is null or symbol = %(symbol)s)
order by created_at desc, id
limit %(limit)s offset %(offset)s;

-- name: count_runs
-- How many runs the same filters leave.
select count(*) as total from orchestrator.run
where
    (%(state)s::text is null or state = %(state)s) and (%(symbol)s::text is null or symbol = %(symbol)s);

-- name: models
-- A run's models in the order they were asked for.
select
    run, slot, generation, request, priority, parent, fingerprint, artefact, features, importance, state, error,
    sweep, best_setting, select_metrics, confirm_metrics
from orchestrator.model where run = %(run)s order by slot;

-- name: trials
-- A run's ledger.
select run, slot, setting, spec, state, metrics, error
from orchestrator.trial where run = %(run)s order by slot, setting;

-- name: progress
-- How far each generation of a run is.
select
    m.generation,
    count(distinct m.slot) as models,
    count(distinct m.slot) filter (where m.fingerprint is not null) as trained,
    count(distinct m.slot) filter (where m.state = 'failed') as failed,
    count(t.setting) as trials,
    count(t.setting) filter (where t.state = 'done') as done,
    max((m.select_metrics ->> 'sqn100')::float8) as best_sqn100
from orchestrator.model as m left join orchestrator.trial as t on t.run = m.run and t.slot = m.slot
where m.run = %(run)s
group by m.generation order by m.generation;

-- name: live_work
-- Jobs of others that a run waits for: members of groups that continue with one of its own jobs.
select distinct j.id
from jobs.job_group as g
join jobs.membership as m on m.group_id = g.id
join jobs.job as j on j.id = m.job_id
where g.continuation -> 'payload' ->> 'run' = %(run)s and j.state in ('PENDING', 'RUNNING')
order by j.id;

-- name: last_step
-- The newest of the run's own jobs: the one that began it, or that continues one of its groups.
select greatest(
    (select job_id from orchestrator.run where id = %(run)s),
    (select max(continuation_job_id) from jobs.job_group where continuation -> 'payload' ->> 'run' = %(run)s)
) as job_id;

-- name: lock_symbol
-- Make openings of vintages of one symbol queue up until this transaction ends.
select pg_advisory_xact_lock(hashtextextended('orchestrator vintage ' || %(symbol)s, 0)) as locked;

-- name: vintages
-- Every vintage of a symbol.
select id, symbol, "window", data_version, costs, alpha, looks
from orchestrator.vintage where symbol = %(symbol)s order by opened_at;

-- name: insert_vintage
-- Open a vintage.
insert into orchestrator.vintage (id, symbol, "window", data_version, costs, alpha, looks)
values (
    %(id)s, %(symbol)s, %(window)s::jsonb, %(data_version)s, %(costs)s::jsonb, %(alpha)s, %(looks)s
)
on conflict (id) do nothing;

-- name: looks_used
-- How many looks a vintage has borne.
select count(*) as used from orchestrator.look where vintage = %(vintage)s;

-- name: look_of_run
-- The look a run was charged with.
select
    l.vintage, l.number, v.looks as number_of, l.run, l.level, l.nomination, l.p, l.passed, l.logged_at
from orchestrator.look as l join orchestrator.vintage as v on v.id = l.vintage
where l.run = %(run)s;

-- name: searched_by
-- The first other run that trained or chose on days of a span.
select r.id from orchestrator.run as r
where
    r.symbol = %(symbol)s and r.id <> %(run)s
    and (r.periods #>> '{train,window,start}')::timestamptz < %(end)s
    and (r.periods #>> '{select,window,end}')::timestamptz > %(start)s
    and exists (select from orchestrator.model as m where m.run = r.id and m.fingerprint is not null)
order by r.created_at, r.id limit 1;

-- name: nominated_models
-- Every model that a logged look read the holdout of a symbol with.
select distinct member ->> 'model' as model
from orchestrator.look as l join orchestrator.run as r on r.id = l.run, jsonb_array_elements(l.nomination) as member
where r.symbol = %(symbol)s;

-- name: promotions
-- A page of what was promoted, newest first.
select p.run, r.symbol, p.place, p.kind, p.model, p.setting, p.record, p.promoted_at
from orchestrator.promotion as p join orchestrator.run as r on r.id = p.run
where %(run)s::text is null or p.run = %(run)s
order by p.promoted_at desc, p.run, p.place
limit %(limit)s offset %(offset)s;

-- name: count_promotions
-- How many promotions there are.
select count(*) as total from orchestrator.promotion where %(run)s::text is null or run = %(run)s;

-- name: lineage
-- A model with its ancestors and descendants, within every run that had it, oldest first.
with recursive up as (
    select run, fingerprint, parent from orchestrator.model where fingerprint = %(fingerprint)s
    union
    select m.run, m.fingerprint, m.parent
    from orchestrator.model as m join up on m.run = up.run and m.fingerprint = up.parent
),
down as (
    select run, fingerprint from orchestrator.model where fingerprint = %(fingerprint)s
    union
    select m.run, m.fingerprint
    from orchestrator.model as m join down on m.run = down.run and m.parent = down.fingerprint
    where m.fingerprint is not null
)
select
    m.run, m.slot, m.generation, m.request, m.priority, m.parent, m.fingerprint, m.artefact, m.features,
    m.importance, m.state, m.error, m.sweep, m.best_setting, m.select_metrics, m.confirm_metrics
from orchestrator.model as m
where (m.run, m.fingerprint) in (select run, fingerprint from up union select run, fingerprint from down)
order by m.run, m.generation, m.slot;
