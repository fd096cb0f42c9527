-- name: sweep
-- One sweep by its fingerprint, without its runs.
select
    sweep.*,
    (select count(*) from simulation.run where run.sweep = sweep.fingerprint)::integer as settings
from simulation.sweep as sweep
where fingerprint = %(fingerprint)s

-- name: sweeps
-- A page of sweeps, newest first, each with its best Sharpe.
select
    sweep.*,
    (select count(*) from simulation.run where run.sweep = sweep.fingerprint)::integer as settings,
    (select max(sharpe) from simulation.run where run.sweep = sweep.fingerprint) as best_sharpe
from simulation.sweep as sweep
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

-- name: sweep_runs
-- All runs of a sweep in the order of its settings.
select
    run.sweep || '-' || run.index as id,
    run.*,
    sweep.model,
    sweep.symbol,
    sweep.evidence,
    sweep.window_start,
    sweep.window_end,
    sweep.created_at
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint
where run.sweep = %(sweep)s
order by run.index

-- name: run
-- One run by its sweep and index.
select
    run.sweep || '-' || run.index as id,
    run.*,
    sweep.model,
    sweep.symbol,
    sweep.evidence,
    sweep.window_start,
    sweep.window_end,
    sweep.created_at
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint
where run.sweep = %(sweep)s and run.index = %(index)s

-- name: runs
-- A page of runs, filtered, sorted by one number (missing ones last), ties in a fixed order.
select
    run.sweep || '-' || run.index as id,
    run.*,
    sweep.model,
    sweep.symbol,
    sweep.evidence,
    sweep.window_start,
    sweep.window_end,
    sweep.created_at
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint
where
    (%(symbol)s::text is null or sweep.symbol = %(symbol)s)
    and (%(model)s::text is null or sweep.model = %(model)s)
    and (%(sweep)s::text is null or run.sweep = %(sweep)s)
    and run.trades >= %(min_trades)s
order by
    %(sign)s * case %(sort)s
        when 'created_at' then extract(epoch from sweep.created_at)::double precision
        when 'threshold' then run.threshold
        when 'hold_bars' then run.hold_bars
        when 'delay_bars' then run.delay_bars
        when 'total_return' then run.total_return
        when 'buy_hold_return' then run.buy_hold_return
        when 'sharpe' then run.sharpe
        when 'max_drawdown' then run.max_drawdown
        when 'sqn' then run.sqn
        when 'sqn100' then run.sqn100
        when 'profit_factor' then run.profit_factor
        when 'trades' then run.trades
        when 'win_rate' then run.win_rate
        when 'hit_rate' then run.hit_rate
        when 'exposure' then run.exposure
        when 'costs_paid' then run.costs_paid
        when 'final_equity' then run.final_equity
        when 'timing_alpha_t' then run.timing_alpha_t
    end asc nulls last,
    sweep.created_at desc,
    run.sweep,
    run.index
limit %(limit)s offset %(offset)s

-- name: count_runs
-- How many runs the same filters leave.
select count(*)
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint
where
    (%(symbol)s::text is null or sweep.symbol = %(symbol)s)
    and (%(model)s::text is null or sweep.model = %(model)s)
    and (%(sweep)s::text is null or run.sweep = %(sweep)s)
    and run.trades >= %(min_trades)s
