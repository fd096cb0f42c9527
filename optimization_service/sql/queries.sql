-- name: insert_batch
-- Record a batch that is being started; one that is there gets the new job.
insert into optimization.batch (fingerprint, definition, pairs, settings, job_id)
values (%(fingerprint)s, %(definition)s, %(pairs)s, %(settings)s, %(job_id)s)
on conflict (fingerprint) do update set job_id = excluded.job_id

-- name: lock_batch
-- Keep other submissions of the same batch waiting until this transaction ends.
select pg_advisory_xact_lock(hashtextextended(%(fingerprint)s, 0))

-- name: batch
-- One batch with the state of its jobs, its best Sharpe and how many members failed.
select
    batch.*,
    (select max(sharpe) from optimization.trial inner join optimization.member using (sweep)
        where member.batch = batch.fingerprint) as best_sharpe,
    (select count(*) from optimization.member where member.batch = batch.fingerprint and error is not null)::integer
        as failed
from optimization.batch
where fingerprint = %(fingerprint)s

-- name: batches
-- A page of batches, newest first.
select
    batch.*,
    (select max(sharpe) from optimization.trial inner join optimization.member using (sweep)
        where member.batch = batch.fingerprint) as best_sharpe,
    (select count(*) from optimization.member where member.batch = batch.fingerprint and error is not null)::integer
        as failed
from optimization.batch
order by created_at desc, fingerprint
limit %(limit)s offset %(offset)s

-- name: count_batches
-- How many batches there are.
select count(*) from optimization.batch

-- name: steps
-- The jobs of a batch since it was started last: each step's own job, and its group's members by state.
-- Reads the queue's tables: which groups lead to which batch is known only to their continuations.
with run as (select id, created_at from jobs.job where id = %(job_id)s),

groups as (
    select grp.id, grp.continuation ->> 'kind' as next_kind, grp.continuation_job_id
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
    job.progress
from jobs.job inner join chain on job.id = chain.id
union all
select
    member.kind,
    member.state,
    null,
    count(*)::integer,
    avg(member.progress)
from groups
inner join jobs.membership on membership.group_id = groups.id
inner join jobs.job as member on membership.job_id = member.id
group by member.kind, member.state

-- name: members
-- The members of a batch, failed ones first.
select
    member.model,
    member.symbol,
    member.window_start,
    member.window_end,
    member.sweep,
    member.error,
    (select count(*) from optimization.trial where trial.sweep = member.sweep)::integer as trials,
    (select max(sharpe) from optimization.trial where trial.sweep = member.sweep) as best_sharpe
from optimization.member
where batch = %(batch)s
order by (error is null), symbol, model

-- name: trials
-- A page of the leaderboard: filtered, sorted by one number (undefined ones last), ties in a fixed order.
select
    trial.sweep || '-' || trial.index as run,
    trial.*
from optimization.trial
where
    (%(batch)s::text is null or sweep in (select sweep from optimization.member where batch = %(batch)s))
    and (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or starts_with(model, %(model)s))
    and (%(side)s::text is null or side = %(side)s)
    and (%(threshold)s::double precision is null or threshold = %(threshold)s)
    and (%(hold_bars)s::integer is null or hold_bars = %(hold_bars)s)
    and trades >= %(min_trades)s
order by
    %(sign)s * case %(sort)s
        when 'threshold' then threshold
        when 'hold_bars' then hold_bars
        when 'delay_bars' then delay_bars
        when 'total_return' then total_return
        when 'buy_hold_return' then buy_hold_return
        when 'sharpe' then sharpe
        when 'max_drawdown' then max_drawdown
        when 'sqn' then sqn
        when 'sqn100' then sqn100
        when 'profit_factor' then profit_factor
        when 'trades' then trades
        when 'win_rate' then win_rate
        when 'hit_rate' then hit_rate
        when 'exposure' then exposure
        when 'costs_paid' then costs_paid
        when 'final_equity' then final_equity
        when 'timing_alpha_t' then timing_alpha_t
    end asc nulls last,
    symbol, model, sweep, index
limit %(limit)s offset %(offset)s

-- name: count_trials
-- How many rows the same filters leave.
select count(*)
from optimization.trial
where
    (%(batch)s::text is null or sweep in (select sweep from optimization.member where batch = %(batch)s))
    and (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(model)s::text is null or starts_with(model, %(model)s))
    and (%(side)s::text is null or side = %(side)s)
    and (%(threshold)s::double precision is null or threshold = %(threshold)s)
    and (%(hold_bars)s::integer is null or hold_bars = %(hold_bars)s)
    and trades >= %(min_trades)s

-- name: spread
-- How many trials were made, the best Sharpe and their spread. No other filter: whoever looks at part of a search
-- still searched all of it.
select
    count(*)::integer as trials,
    max(sharpe) as best_sharpe,
    stddev_samp(sharpe) as sharpe_sd
from optimization.trial
where %(batch)s::text is null or sweep in (select sweep from optimization.member where batch = %(batch)s)

-- name: grid
-- The best and the median Sharpe by threshold and holding time, over whatever else a batch varies.
select
    threshold,
    hold_bars,
    max(sharpe) as best,
    percentile_cont(0.5) within group (order by sharpe) as median,
    count(*)::integer as trials
from optimization.trial
where sweep in (select sweep from optimization.member where batch = %(batch)s)
group by threshold, hold_bars
order by hold_bars, threshold
