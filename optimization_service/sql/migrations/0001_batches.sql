create table optimization.batch (
    fingerprint text primary key,
    definition jsonb not null,
    pairs integer not null,
    settings integer not null,
    -- the job that started it last; a batch with failed members may be started again
    job_id bigint not null,
    created_at timestamptz not null default now(),
    ranked_at timestamptz
);

-- One model on one symbol in a batch: its sweep, or why there is none.
create table optimization.member (
    batch text not null references optimization.batch,
    model text not null,
    symbol text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,
    sweep text,
    error text,
    primary key (batch, model, symbol),
    check ((sweep is null) <> (error is null))
);

create index member_by_sweep on optimization.member (sweep);

-- One simulated setting. Two batches that contain the same sweep share its rows. Column names are those of
-- contracts.messages.Setting and Metrics: on_rank relies on it.
create table optimization.trial (
    sweep text not null,
    index integer not null,
    model text not null,
    symbol text not null,
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

create index trial_by_sharpe on optimization.trial (sharpe desc nulls last);

-- The effect of a finished optimization.rank job: members and leaderboard rows, once, however often it ran.
create function optimization.on_rank(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into optimization.member (batch, model, symbol, window_start, window_end, sweep, error)
    select
        result ->> 'batch',
        item ->> 'model',
        item ->> 'symbol',
        (item -> 'window' ->> 'start')::timestamptz,
        (item -> 'window' ->> 'end')::timestamptz,
        item ->> 'sweep',
        item ->> 'error'
    from jsonb_array_elements(result -> 'members') as item
    on conflict (batch, model, symbol) do update set sweep = excluded.sweep, error = excluded.error;

    insert into optimization.trial
    select trial.*
    from
        jsonb_array_elements(result -> 'members') as item,
        jsonb_array_elements(item -> 'runs') as run,
        jsonb_populate_record(
            null::optimization.trial,
            (result -> 'settings' -> (run ->> 'index')::integer)
            || (run -> 'metrics')
            || jsonb_build_object(
                'sweep', item -> 'sweep', 'index', run -> 'index', 'model', item -> 'model', 'symbol', item -> 'symbol'
            )
        ) as trial
    on conflict (sweep, index) do nothing;

    update optimization.batch set ranked_at = now() where fingerprint = result ->> 'batch';
$$;
