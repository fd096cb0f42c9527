-- What a sweep's settings read beside bars and predictions: needed to read the same data again for one of them.
alter table simulation.sweep add column reads jsonb not null default '{}';

drop view simulation.listed_sweep;

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

create or replace function simulation.keep_sweep(job_id bigint, result jsonb) returns void
language sql as $$
    insert into simulation.sweep (
        fingerprint, model, symbol, window_start, window_end, request, reads, evidence, data_version, code_version,
        bars, sessions, job_id
    )
    select
        result ->> 'fingerprint',
        asked ->> 'model',
        asked ->> 'symbol',
        (asked -> 'window' ->> 'start')::timestamptz,
        (asked -> 'window' ->> 'end')::timestamptz,
        asked - 'settings',
        coalesce(result -> 'reads', '{}'),
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

-- A run under harder terms and at random times. `report` is what the API answers.
create table simulation.stress (
    sweep text not null,
    index integer not null,
    draws integer not null,
    seed bigint not null,
    report jsonb not null,
    job_id bigint not null,
    created_at timestamptz not null default now(),
    primary key (sweep, index, draws, seed),
    foreign key (sweep, index) references simulation.run (sweep, index)
);

-- The effect of a finished simulation.stress job: the sweeps it made are trials like any other, and its report.
create function simulation.on_stress(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    select simulation.keep_sweep(on_stress.job_id, swept)
    from jsonb_array_elements(result -> 'sweeps') as swept;

    insert into simulation.stress (sweep, index, draws, seed, report, job_id)
    select
        result ->> 'sweep',
        (result ->> 'index')::integer,
        (result ->> 'draws')::integer,
        (result ->> 'seed')::bigint,
        result -> 'report',
        on_stress.job_id
    on conflict (sweep, index, draws, seed) do nothing;
$$;
