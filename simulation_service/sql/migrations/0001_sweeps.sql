create table simulation.sweep (
    fingerprint text primary key,
    model text not null,
    symbol text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    starting_cash double precision not null,
    fee_per_fill double precision not null,
    fee_per_share double precision not null,
    half_spread_bps double precision not null,
    baseline_sweep text references simulation.sweep,
    baseline_settings integer[] not null,
    -- 'frozen': predictions of the frozen artefact after its training; 'folds': out-of-sample ones of its folds
    evidence text not null check (evidence in ('frozen', 'folds')),
    data_version text not null,
    code_version text not null,
    bars integer not null,
    sessions integer not null,
    job_id bigint not null,
    created_at timestamptz not null default now()
);

create index sweep_by_symbol on simulation.sweep (symbol, created_at desc);
create index sweep_by_model on simulation.sweep (model);

-- One setting of a sweep. Column names are those of contracts.messages.Setting and Metrics: on_sweep relies on it.
create table simulation.run (
    sweep text not null references simulation.sweep,
    index integer not null,
    threshold double precision not null,
    side text not null,
    hold_bars integer not null,
    delay_bars integer not null,
    fill text not null,
    flat_at_close boolean not null,
    total_return double precision not null,
    buy_hold_return double precision not null,
    sharpe double precision,
    max_drawdown double precision not null,
    sqn double precision,
    sqn100 double precision,
    profit_factor double precision,
    trades integer not null,
    win_rate double precision,
    hit_rate double precision,
    exposure double precision not null,
    costs_paid double precision not null,
    final_equity double precision not null,
    timing_alpha_t double precision,
    primary key (sweep, index)
);

-- The effect of a finished simulation.sweep job: its rows, once, whoever computed it and however often.
create function simulation.on_sweep(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into simulation.sweep (
        fingerprint, model, symbol, window_start, window_end, starting_cash, fee_per_fill, fee_per_share,
        half_spread_bps, baseline_sweep, baseline_settings, evidence, data_version, code_version, bars, sessions,
        job_id
    )
    select
        result ->> 'fingerprint',
        asked ->> 'model',
        asked ->> 'symbol',
        (asked -> 'window' ->> 'start')::timestamptz,
        (asked -> 'window' ->> 'end')::timestamptz,
        (asked ->> 'starting_cash')::double precision,
        (asked -> 'costs' ->> 'fee_per_fill')::double precision,
        (asked -> 'costs' ->> 'fee_per_share')::double precision,
        (asked -> 'costs' ->> 'half_spread_bps')::double precision,
        asked ->> 'baseline_sweep',
        array(select item::integer from jsonb_array_elements_text(asked -> 'baseline_settings') as item),
        result ->> 'evidence',
        result ->> 'data_version',
        result ->> 'code_version',
        (result ->> 'bars')::integer,
        (result ->> 'sessions')::integer,
        on_sweep.job_id
    from (select result -> 'sweep' as asked) as request
    on conflict (fingerprint) do nothing;

    insert into simulation.run
    select run.*
    from
        jsonb_array_elements(result -> 'runs') as item,
        jsonb_populate_record(
            null::simulation.run,
            (result -> 'sweep' -> 'settings' -> (item ->> 'index')::integer)
            || (item -> 'metrics')
            || jsonb_build_object('sweep', result ->> 'fingerprint', 'index', item -> 'index')
        ) as run
    on conflict (sweep, index) do nothing;
$$;
