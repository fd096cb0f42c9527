-- What a setting is and what it earned are kept as they are said (jsonb), so that a new parameter or figure of the
-- contracts needs no column here. A batch is a space of points and a search over it; each trial of it is an entry.

alter table optimization.trial add column setting jsonb, add column metrics jsonb;

update optimization.trial set
    setting = jsonb_build_object(
        'threshold', threshold, 'side', side, 'hold_bars', hold_bars, 'delay_bars', delay_bars, 'fill', fill,
        'flat_at_close', flat_at_close
    ),
    metrics = jsonb_build_object(
        'total_return', total_return, 'buy_hold_return', buy_hold_return, 'sharpe', sharpe,
        'max_drawdown', max_drawdown, 'sqn', sqn, 'sqn100', sqn100, 'profit_factor', profit_factor,
        'trades', trades, 'win_rate', win_rate, 'hit_rate', hit_rate, 'exposure', exposure,
        'costs_paid', costs_paid, 'final_equity', final_equity, 'timing_alpha_t', timing_alpha_t
    );

alter table optimization.trial
    alter column setting set not null,
    alter column metrics set not null,
    drop column threshold,
    drop column side,
    drop column hold_bars,
    drop column delay_bars,
    drop column fill,
    drop column flat_at_close,
    drop column total_return,
    drop column buy_hold_return,
    drop column sharpe,
    drop column max_drawdown,
    drop column sqn,
    drop column sqn100,
    drop column profit_factor,
    drop column trades,
    drop column win_rate,
    drop column hit_rate,
    drop column exposure,
    drop column costs_paid,
    drop column final_equity,
    drop column timing_alpha_t;

-- the two that every list reads
alter table optimization.trial
    add column sharpe double precision generated always as ((metrics ->> 'sharpe')::double precision) stored,
    add column trades integer generated always as ((metrics ->> 'trades')::integer) stored;

create index trial_by_sharpe on optimization.trial (sharpe desc nulls last);

-- Batches were lists of settings before. Their trials stay on the leaderboard; the batches can be asked for again.
drop table optimization.member;
delete from optimization.batch;

alter table optimization.batch
    drop column settings,
    -- how many trials it makes when nothing fails
    add column trials integer not null;

-- One trial of a batch: a point of its space. The same simulated setting may be in several batches.
create table optimization.entry (
    batch text not null references optimization.batch,
    point bigint not null,
    -- in which order it was chosen
    number integer not null,
    -- null: it could not be simulated
    sweep text,
    index integer,
    plateau double precision,
    neighbours integer,
    primary key (batch, point),
    unique (batch, number),
    foreign key (sweep, index) references optimization.trial,
    check ((sweep is null) = (index is null))
);

create index entry_by_trial on optimization.entry (sweep, index);

-- Why some or all trials of one of a batch's pairs (counted from 0) could not be simulated.
create table optimization.failure (
    batch text not null references optimization.batch,
    pair integer not null,
    error text not null,
    primary key (batch, pair)
);

-- The effect of a finished optimization.rank job: one round's trials, once, however often it ran. Settings and figures
-- are taken from the simulation jobs that the result names: they are many, and they are there.
create or replace function optimization.on_rank(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into optimization.trial (sweep, index, model, symbol, setting, metrics)
    select
        job.result ->> 'fingerprint',
        (run ->> 'index')::integer,
        job.payload ->> 'model',
        job.payload ->> 'symbol',
        job.payload -> 'settings' -> (run ->> 'index')::integer,
        run -> 'metrics'
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
