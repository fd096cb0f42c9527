-- name: sweep
-- One sweep by its fingerprint, without its runs.
select * from simulation.listed_sweep where fingerprint = %(fingerprint)s

-- name: sweeps
-- A page of sweeps, newest first, each with its best Sharpe.
select *
from simulation.listed_sweep
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or model = %(model)s)
order by created_at desc, fingerprint
limit %(limit)s offset %(offset)s

-- name: count_sweeps
-- How many sweeps the same filters leave.
select count(*)
from simulation.sweep
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or model = %(model)s)

-- name: keep_sweep
-- Store a sweep that was simulated while its caller waited.
select simulation.keep_sweep(null, %(result)s::jsonb)

-- name: sweep_runs
-- All runs of a sweep in the order of its settings.
select * from simulation.listed_run where sweep = %(sweep)s order by index

-- name: run
-- One run by its sweep and index.
select * from simulation.listed_run where sweep = %(sweep)s and index = %(index)s

-- name: runs
-- A page of runs, filtered, sorted by one figure or parameter (missing ones last), ties in a fixed order.
select listed.*
from
    simulation.listed_run as listed,
    lateral (
        select case
            when %(sort)s = 'created_at' then to_jsonb(extract(epoch from listed.created_at))
            else nullif(coalesce(listed.metrics -> %(sort)s, listed.setting -> %(sort)s), 'null')
        end as figure
    ) as sorted
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or model = %(model)s)
    and (%(sweep)s::text is null or sweep = %(sweep)s)
    and (%(evidence)s::text is null or evidence = %(evidence)s)
    and (metrics ->> 'trades')::integer >= %(min_trades)s
    and (%(min_sharpe)s::double precision is null or (metrics ->> 'sharpe')::double precision >= %(min_sharpe)s)
order by
    case when %(descending)s then figure end desc nulls last,
    case when not %(descending)s then figure end asc nulls last,
    created_at desc,
    sweep,
    index
limit %(limit)s offset %(offset)s

-- name: count_runs
-- How many runs the same filters leave.
select count(*)
from simulation.listed_run
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or model = %(model)s)
    and (%(sweep)s::text is null or sweep = %(sweep)s)
    and (%(evidence)s::text is null or evidence = %(evidence)s)
    and (metrics ->> 'trades')::integer >= %(min_trades)s
    and (%(min_sharpe)s::double precision is null or (metrics ->> 'sharpe')::double precision >= %(min_sharpe)s)

-- name: keep_signals
-- Store what names a series that a user brought; the same one again keeps the first row.
insert into simulation.signals (fingerprint, symbol, kind, name, rows, first_ts, last_ts)
values (%(fingerprint)s, %(symbol)s, %(kind)s, %(name)s, %(rows)s, %(first_ts)s, %(last_ts)s)
on conflict (fingerprint) do nothing

-- name: signals
-- One series that a user brought.
select * from simulation.signals where fingerprint = %(fingerprint)s

-- name: list_signals
-- A page of them, newest first.
select *
from simulation.signals
where (%(symbol)s::text is null or symbol = %(symbol)s)
order by created_at desc, fingerprint
limit %(limit)s offset %(offset)s

-- name: count_signals
-- How many there are.
select count(*) from simulation.signals where (%(symbol)s::text is null or symbol = %(symbol)s)

-- name: stress
-- The newest stress report of a run.
select report, draws, seed, created_at
from simulation.stress
where sweep = %(sweep)s and index = %(index)s
order by created_at desc, draws desc
limit 1
