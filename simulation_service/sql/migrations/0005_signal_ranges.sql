-- How far the signal of a sweep went, by what its settings read it as: says whether a threshold could be passed at all.
alter table simulation.sweep add column signals jsonb not null default '{}';

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
        fingerprint, model, symbol, window_start, window_end, request, reads, signals, evidence, data_version,
        code_version, bars, sessions, job_id
    )
    select
        result ->> 'fingerprint',
        asked ->> 'model',
        asked ->> 'symbol',
        (asked -> 'window' ->> 'start')::timestamptz,
        (asked -> 'window' ->> 'end')::timestamptz,
        asked - 'settings',
        coalesce(result -> 'reads', '{}'),
        coalesce(result -> 'signals', '{}'),
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
