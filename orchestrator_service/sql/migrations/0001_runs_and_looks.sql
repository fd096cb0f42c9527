-- Runs, their models and trials; vintages of sealed data, the looks charged to them, and what was promoted.
-- Every transition is applied by an effect function, in the transaction that completes the job which decided it.

create table orchestrator.run (
    id text primary key, -- fingerprint of plan, symbol, data version and code version
    symbol text not null,
    plan jsonb not null,
    periods jsonb not null,
    data_version text not null,
    obstacle text, -- why nothing of this run may be promoted, known before it starts
    state text not null default 'running' check (state in ('running', 'completed', 'failed', 'cancelled')),
    stage text not null default 'training'
        check (stage in ('training', 'simulating', 'judging', 'confirming', 'ended')),
    generation int not null default 0,
    reason text, -- why it ended
    evidence jsonb,
    verdict jsonb,
    job_id bigint, -- its first job; later ones continue groups
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((state = 'running') = (finished_at is null))
);
create index run_by_age on orchestrator.run (created_at desc);

-- a client's key for one request: asked again with the same body it names the same runs
create table orchestrator.request (
    key text primary key,
    body text not null, -- fingerprint of the request without its key
    runs text[] not null,
    created_at timestamptz not null default now()
);

-- the lineage: one row for each model a run asked for, trained or not
create table orchestrator.model (
    run text not null references orchestrator.run (id),
    slot int not null,
    generation int not null,
    request jsonb not null,
    priority double precision not null default 0,
    parent text,
    fingerprint text,
    artefact text, -- sha256 of the frozen artefact
    features jsonb,
    importance jsonb,
    state text not null default 'waiting'
        check (state in ('waiting', 'trained', 'pruned', 'failed', 'nominated', 'promoted')),
    error text,
    sweep text,
    best_setting int,
    select_metrics jsonb,
    confirm_metrics jsonb,
    primary key (run, slot)
);
create index model_by_fingerprint on orchestrator.model (fingerprint);
create index model_by_parent on orchestrator.model (parent);

-- the ledger: one row for each setting simulated on SELECT, written before its result exists, never removed
create table orchestrator.trial (
    run text not null,
    slot int not null,
    setting int not null,
    spec jsonb not null,
    state text not null default 'submitted' check (state in ('submitted', 'done', 'failed', 'aborted')),
    metrics jsonb,
    error text,
    primary key (run, slot, setting),
    foreign key (run, slot) references orchestrator.model (run, slot)
);

create table orchestrator.vintage (
    id text primary key,
    symbol text not null,
    "window" jsonb not null,
    data_version text not null,
    costs jsonb not null,
    alpha double precision not null check (alpha > 0 and alpha < 1),
    looks int not null check (looks >= 1),
    opened_at timestamptz not null default now()
);
create index vintage_by_symbol on orchestrator.vintage (symbol);

create table orchestrator.look (
    vintage text not null references orchestrator.vintage (id),
    number int not null check (number >= 1),
    run text not null unique references orchestrator.run (id),
    level double precision not null,
    nomination jsonb not null,
    p double precision,
    passed boolean,
    logged_at timestamptz not null default now(),
    primary key (vintage, number)
);

-- place 0 is the blend, members follow in their order
create table orchestrator.promotion (
    run text not null references orchestrator.run (id),
    place int not null,
    kind text not null check (kind in ('blend', 'model')),
    model text,
    setting jsonb,
    record jsonb not null,
    promoted_at timestamptz not null default now(),
    primary key (run, place)
);


create function orchestrator.end_run(which text, how text, why text) returns void
language sql as $$
    update orchestrator.run set state = how, stage = 'ended', reason = why, finished_at = clock_timestamp()
    where id = which and state = 'running';
    update orchestrator.trial set state = 'aborted' where run = which and state = 'submitted';
$$;


create function orchestrator.applies(result jsonb) returns boolean
language plpgsql as $$
-- Whether the result still concerns a running run; a step that found the run wrong ends it here.
begin
    perform from orchestrator.run where id = result ->> 'run' and state = 'running' for update;
    if not found or result ? 'skipped' then
        return false;
    end if;
    if result ? 'failed' then
        perform orchestrator.end_run(result ->> 'run', 'failed', result ->> 'failed');
        return false;
    end if;
    return true;
end $$;


create function orchestrator.on_breed(job_id bigint, payload jsonb, result jsonb) returns void
language plpgsql as $$
-- A generation's trainings are submitted.
begin
    if orchestrator.applies(result) then
        update orchestrator.run set stage = 'training', generation = (result ->> 'generation')::int
        where id = result ->> 'run';
    end if;
end $$;


create function orchestrator.on_trial(job_id bigint, payload jsonb, result jsonb) returns void
language plpgsql as $$
-- Trained models enter the lineage and every setting to be tried enters the ledger, before any is simulated.
begin
    if not orchestrator.applies(result) then
        return;
    end if;
    update orchestrator.model as m set
        state = t.state, fingerprint = t.fingerprint, artefact = t.artefact, features = t.features,
        importance = t.importance, error = t.error
    from jsonb_to_recordset(result -> 'models') as t (
        slot int, state text, fingerprint text, artefact text, features jsonb, importance jsonb, error text
    )
    where m.run = result ->> 'run' and m.slot = t.slot;
    insert into orchestrator.trial (run, slot, setting, spec)
    select result ->> 'run', t.slot, t.setting, t.spec
    from jsonb_to_recordset(result -> 'trials') as t (slot int, setting int, spec jsonb)
    on conflict (run, slot, setting) do nothing;
    update orchestrator.run set stage = 'simulating' where id = result ->> 'run';
end $$;


create function orchestrator.log_look(which text, account text, members jsonb) returns void
language plpgsql as $$
-- Charge one look to a vintage. A run has one look, whatever befalls it; the vintage's row lock makes them queue up.
declare
    v orchestrator.vintage;
    used int;
    known jsonb;
begin
    select * into strict v from orchestrator.vintage where id = account for update;
    select nomination into known from orchestrator.look where run = which;
    if found then
        if known <> members then
            raise exception 'run % was nominated before with other members: its look is spent', which;
        end if;
        return;
    end if;
    select count(*) into used from orchestrator.look where vintage = account;
    if used >= v.looks then
        raise exception 'vintage % has no look left: all % are spent', account, v.looks;
    end if;
    insert into orchestrator.look (vintage, number, run, level, nomination)
    values (account, used + 1, which, v.alpha / v.looks, members);
end $$;


create function orchestrator.on_judge(job_id bigint, payload jsonb, result jsonb) returns void
language plpgsql as $$
-- The generation's trials get their results; then the next generation, the look, or the end.
begin
    if not orchestrator.applies(result) then
        if result ? 'nomination' then
            -- refusing the whole completion: what it submits would read sealed days that no look was logged for
            raise exception 'run % ended before its look was logged', result ->> 'run';
        end if;
        return;
    end if;
    update orchestrator.trial as o set state = t.state, metrics = t.metrics, error = t.error
    from jsonb_to_recordset(result -> 'trials') as t (slot int, setting int, state text, metrics jsonb, error text)
    where o.run = result ->> 'run' and o.slot = t.slot and o.setting = t.setting;
    update orchestrator.model as m set
        state = t.state, sweep = t.sweep, best_setting = t.best_setting, select_metrics = t.select_metrics
    from jsonb_to_recordset(result -> 'models') as t (
        slot int, state text, sweep text, best_setting int, select_metrics jsonb
    )
    where m.run = result ->> 'run' and m.slot = t.slot;
    insert into orchestrator.model (run, slot, generation, request, priority, parent)
    select result ->> 'run', t.slot, (result ->> 'generation')::int + 1, t.request, t.priority, t.parent
    from jsonb_to_recordset(result -> 'children') as t (
        slot int, request jsonb, priority double precision, parent text
    )
    on conflict (run, slot) do nothing;
    if not result ? 'evidence' then
        return;
    end if;
    update orchestrator.run set evidence = result -> 'evidence', reason = result ->> 'reason'
    where id = result ->> 'run';
    if result ? 'nomination' then
        perform orchestrator.log_look(result ->> 'run', result ->> 'vintage', result -> 'nomination');
        update orchestrator.model as m set state = 'nominated'
        from jsonb_to_recordset(result -> 'nomination') as t (slot int)
        where m.run = result ->> 'run' and m.slot = t.slot;
        update orchestrator.run set stage = 'confirming' where id = result ->> 'run';
    else
        perform orchestrator.end_run(result ->> 'run', 'completed', result ->> 'reason');
    end if;
end $$;


create function orchestrator.on_verdict(job_id bigint, payload jsonb, result jsonb) returns void
language plpgsql as $$
-- The look's answer, and what it promotes.
begin
    if not orchestrator.applies(result) or not result ? 'verdict' then
        return;
    end if;
    update orchestrator.run set verdict = result -> 'verdict' where id = result ->> 'run';
    update orchestrator.look set
        p = (result #>> '{verdict,blend,p}')::float8, passed = (result #>> '{verdict,blend,passed}')::boolean
    where run = result ->> 'run';
    insert into orchestrator.promotion (run, place, kind, model, setting, record)
    select result ->> 'run', t.place, t.kind, t.model, t.setting, t.record
    from jsonb_to_recordset(result -> 'promotions') as t (
        place int, kind text, model text, setting jsonb, record jsonb
    )
    on conflict (run, place) do nothing;
    update orchestrator.model as m set
        confirm_metrics = t.metrics, state = case when t.promoted then 'promoted' else m.state end
    from jsonb_to_recordset(result -> 'models') as t (slot int, metrics jsonb, promoted boolean)
    where m.run = result ->> 'run' and m.slot = t.slot;
    perform orchestrator.end_run(result ->> 'run', 'completed', result ->> 'reason');
end $$;
