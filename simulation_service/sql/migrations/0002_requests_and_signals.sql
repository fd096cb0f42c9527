-- What was asked, what a setting is and what it earned are kept as they are said (jsonb), so that a new parameter or
-- figure of the contracts needs no column here. Old rows keep what they said.

alter table simulation.sweep add column request jsonb;

update simulation.sweep set request = jsonb_build_object(
    'model', model,
    'symbol', symbol,
    'window', jsonb_build_object(
        'start', to_char(window_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'end', to_char(window_end at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ),
    'costs', jsonb_build_object(
        'fee_per_fill', fee_per_fill, 'fee_per_share', fee_per_share, 'half_spread_bps', half_spread_bps
    ),
    'starting_cash', starting_cash,
    'baseline_sweep', baseline_sweep,
    'baseline_settings', to_jsonb(baseline_settings)
);

alter table simulation.sweep
    alter column request set not null,
    -- null: simulated while the caller waited, without a job
    alter column job_id drop not null,
    drop column starting_cash,
    drop column fee_per_fill,
    drop column fee_per_share,
    drop column half_spread_bps,
    drop column baseline_sweep,
    drop column baseline_settings,
    drop constraint sweep_evidence_check,
    -- 'own': a series that a user brought; nothing is known of how it was made
    add constraint sweep_evidence_check check (evidence in ('frozen', 'folds', 'own'));

create index sweep_by_age on simulation.sweep (created_at desc);

alter table simulation.run add column setting jsonb, add column metrics jsonb;

update simulation.run set
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

alter table simulation.run
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

-- A run as everyone reads it: with what its sweep fixed.
create view simulation.listed_run as
select
    run.sweep || '-' || run.index as id,
    run.sweep,
    run.index,
    sweep.model,
    sweep.symbol,
    sweep.evidence,
    sweep.window_start,
    sweep.window_end,
    sweep.created_at,
    run.setting,
    run.metrics
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint;

create view simulation.listed_sweep as
select
    sweep.*,
    (select count(*) from simulation.run where run.sweep = sweep.fingerprint)::integer as settings,
    (
        select max((run.metrics ->> 'sharpe')::double precision)
        from simulation.run
        where run.sweep = sweep.fingerprint
    ) as best_sharpe
from simulation.sweep;

-- Rows of a finished sweep, once, whoever computed it and however often.
create function simulation.keep_sweep(job_id bigint, result jsonb) returns void
language sql as $$
    insert into simulation.sweep (
        fingerprint, model, symbol, window_start, window_end, request, evidence, data_version, code_version, bars,
        sessions, job_id
    )
    select
        result ->> 'fingerprint',
        asked ->> 'model',
        asked ->> 'symbol',
        (asked -> 'window' ->> 'start')::timestamptz,
        (asked -> 'window' ->> 'end')::timestamptz,
        asked - 'settings',
        result ->> 'evidence',
        result ->> 'data_version',
        result ->> 'code_version',
        (result ->> 'bars')::integer,
        (result ->> 'sessions')::integer,
        keep_sweep.job_id
    from (select result -> 'sweep' as asked) as request
    on conflict (fingerprint) do nothing;

    insert into simulation.run (sweep, index, setting, metrics)
    select
        result ->> 'fingerprint',
        (item ->> 'index')::integer,
        result -> 'sweep' -> 'settings' -> (item ->> 'index')::integer,
        item -> 'metrics'
    from jsonb_array_elements(result -> 'runs') as item
    on conflict (sweep, index) do nothing;
$$;

-- The effect of a finished simulation.sweep job.
create or replace function simulation.on_sweep(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    select simulation.keep_sweep(job_id, result);
$$;

-- A series that a user brought. The fingerprint is over its content, kind and symbol: the same file is the same row.
create table simulation.signals (
    fingerprint text primary key,
    symbol text not null,
    kind text not null check (kind in ('prediction', 'position')),
    name text not null,
    rows integer not null,
    first_ts timestamptz not null,
    last_ts timestamptz not null,
    created_at timestamptz not null default now()
);

create index signals_by_symbol on simulation.signals (symbol, created_at desc);
