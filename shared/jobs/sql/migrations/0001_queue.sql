-- The queue. States and their transitions are drawn in docs/jobs.md. Only the database's clock is read.

create sequence jobs.job_id;

create table jobs.job_group (
    id bigint generated always as identity primary key,
    size int not null default 0,
    -- members that have not ended; the transaction that takes it to zero enqueues the continuation
    open int not null default 0 check (open >= 0),
    continuation jsonb not null,
    continuation_job_id bigint,
    created_at timestamptz not null default now()
);

create table jobs.job (
    id bigint primary key default nextval('jobs.job_id'),
    kind text not null check (kind ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
    payload jsonb not null,
    -- NaN would sort first, so it and the infinities are refused
    priority double precision not null check (priority > '-infinity' and priority < 'infinity'),
    run_after timestamptz not null default now(),
    -- run_after lies ahead: kept out of the index that claim reads, so that waiting jobs cost it nothing
    delayed boolean not null default false,
    state text not null default 'PENDING'
        check (state in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    attempt int not null default 0 check (attempt >= 0),
    max_attempts int not null check (max_attempts >= 1),
    max_runtime interval not null check (max_runtime > interval '0'),
    -- kept when the job ends, so that an answer that was lost can be asked for again
    lease_token uuid,
    lease_expires_at timestamptz,
    worker_id text,
    progress double precision not null default 0 check (progress between 0 and 1),
    note text not null default '',
    result jsonb,
    error text,
    group_id bigint references jobs.job_group (id),
    unique_key text,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    check ((state = 'RUNNING') = (lease_expires_at is not null))
)
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- led by kind: a worker that takes few kinds never walks over the others' jobs
create index job_ready on jobs.job (kind, priority desc, id) where state = 'PENDING' and not delayed;
create index job_delayed on jobs.job (run_after) where state = 'PENDING' and delayed;
-- for rescue and dashboards. On the worker, not on the expiry: heartbeats then stay in place (HOT)
create index job_running on jobs.job (worker_id) where state = 'RUNNING';
create unique index job_unique_live on jobs.job (unique_key) where state in ('PENDING', 'RUNNING');
create index job_by_state on jobs.job (state, id);

create table jobs.membership (
    group_id bigint not null references jobs.job_group (id),
    job_id bigint not null references jobs.job (id),
    primary key (job_id, group_id)
);
create index membership_by_group on jobs.membership (group_id);

-- one row for every attempt that ended, for people
create table jobs.job_attempt (
    job_id bigint not null,
    attempt int not null,
    worker_id text,
    started_at timestamptz,
    ended_at timestamptz not null,
    outcome text not null,
    error text
);
create index job_attempt_by_job on jobs.job_attempt (job_id);

create table jobs.worker (
    id text primary key,
    kinds text[] not null,
    started_at timestamptz not null default now(),
    last_seen timestamptz not null default now()
)
with (fillfactor = 50);


create function jobs.submit(items jsonb, into_group bigint default null) returns bigint[]
language plpgsql as $$
-- Enqueue `items` in their order and return their ids; a live unique_key gives the live job's id.
declare
    ids bigint[] := array_fill(null::bigint, array[jsonb_array_length(items)]);
    item record;
    given bigint;
begin
    -- keys in sorted order: two batches with the same keys wait for each other instead of deadlocking
    for item in
        select numbered.ord, numbered.id, numbered.value as v, numbered.value ->> 'unique_key' as key
        from (
            select t.ord, t.value, nextval('jobs.job_id') as id
            from jsonb_array_elements(items) with ordinality as t (value, ord) order by t.ord
        ) as numbered
        order by numbered.value ->> 'unique_key' nulls first, numbered.ord
    loop
        loop
            insert into jobs.job (
                id, kind, payload, priority, run_after, delayed, max_attempts, max_runtime, unique_key, group_id
            ) values (
                item.id, item.v ->> 'kind', item.v -> 'payload', (item.v ->> 'priority')::float8,
                coalesce((item.v ->> 'run_after')::timestamptz, now()),
                coalesce((item.v ->> 'run_after')::timestamptz > now(), false),
                (item.v ->> 'max_attempts')::int, make_interval(secs => (item.v ->> 'max_runtime_s')::float8),
                item.key, into_group
            )
            on conflict (unique_key) where state in ('PENDING', 'RUNNING') do nothing
            returning id into given;
            exit when given is not null;
            -- the share lock keeps the live job from ending before this transaction has joined it to its group
            select id into given from jobs.job
            where unique_key = item.key and state in ('PENDING', 'RUNNING') for share;
            exit when given is not null;
        end loop;
        ids[item.ord] := given;
    end loop;
    -- equal notifications of one transaction are sent once
    perform pg_notify('jobs', '');
    return ids;
end $$;


create function jobs.continue_group(g bigint) returns void
language plpgsql as $$
-- Enqueue the group's continuation, its payload told which group it continues.
begin
    update jobs.job_group set continuation_job_id = (jobs.submit(
        jsonb_build_array(jsonb_set(continuation, '{payload,group_id}', to_jsonb(g)))
    ))[1] where id = g;
end $$;


create function jobs.submit_group(items jsonb, continuation jsonb) returns bigint
language plpgsql as $$
-- Enqueue `items` as one group and return its id. Without items the continuation is enqueued at once.
declare
    g bigint;
    members int;
begin
    insert into jobs.job_group (continuation) values (continuation) returning id into g;
    insert into jobs.membership (group_id, job_id)
    select distinct g, m from unnest(jobs.submit(items, g)) as m;
    get diagnostics members = row_count;
    update jobs.job_group set size = members, open = members where id = g;
    if members = 0 then
        perform jobs.continue_group(g);
    end if;
    return g;
end $$;


create function jobs.job_ended(j jobs.job, outcome text, reason text) returns void
language plpgsql as $$
-- Everything an ending job owes to others: its history row, and its groups' countdown.
-- The group's row lock makes two last members queue up, so exactly one of them reads zero.
declare
    member record;
    still_open int;
begin
    perform jobs.attempt_ended(j, outcome, reason);
    for member in select group_id from jobs.membership where job_id = j.id order by group_id loop
        update jobs.job_group set open = open - 1 where id = member.group_id returning open into still_open;
        if still_open = 0 then
            perform jobs.continue_group(member.group_id);
        end if;
    end loop;
end $$;


create function jobs.attempt_ended(j jobs.job, outcome text, reason text) returns void
language sql as $$
    insert into jobs.job_attempt (job_id, attempt, worker_id, started_at, ended_at, outcome, error)
    select j.id, j.attempt, j.worker_id, j.started_at, clock_timestamp(), outcome, reason
    -- a job cancelled while it waited: its last attempt was recorded when that ended
    where j.state <> 'PENDING'
$$;


create function jobs.seen(who text, takes text[]) returns void
language plpgsql as $$
-- Note that a worker lives; at most once a second, since a busy worker claims hundreds of times in that.
begin
    if not exists (
        select from jobs.worker
        where id = who and last_seen > clock_timestamp() - interval '1 second' and kinds = takes
    ) then
        insert into jobs.worker (id, kinds) values (who, takes)
        on conflict (id) do update set kinds = excluded.kinds, last_seen = clock_timestamp();
    end if;
end $$;


create function jobs.claim(wanted text[], n int, token uuid, who text, lease interval)
returns setof jobs.job
language plpgsql
-- the indexes are right for every size of the table, and a plan cached while it was small must not outlive that
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Take up to n ready jobs of the wanted kinds: highest priority first, then the oldest.
declare
    -- more than n, because concurrent claimers see the same candidates and take some first
    reach int := n + 16;
    candidates int;
    taken bigint[];
begin
    -- asked again while the first asking still runs: wait for it, then find its jobs
    perform pg_advisory_xact_lock(hashtextextended(token::text, 0));
    perform jobs.seen(who, wanted);
    return query
        update jobs.job set lease_expires_at = clock_timestamp() + lease
        where state = 'RUNNING' and worker_id = who and lease_token = token returning *;
    if found then
        return;
    end if;

    update jobs.job set delayed = false where id in (
        select id from jobs.job where state = 'PENDING' and delayed and run_after <= now()
        order by run_after limit 500 for update skip locked
    );

    loop
        with candidate as materialized (
            select c.id, c.priority
            from unnest(wanted) as k
            cross join lateral (
                select id, priority from jobs.job
                where state = 'PENDING' and not delayed and kind = k
                order by priority desc, id limit reach
            ) as c
            order by c.priority desc, c.id limit reach
        ), locked as (
            select j.id from candidate as c join jobs.job as j on j.id = c.id
            where j.state = 'PENDING' and not j.delayed
            order by c.priority desc, c.id limit n
            for update of j skip locked
        )
        select array_agg(locked.id), (select count(*) from candidate) into taken, candidates from locked;
        exit when taken is not null or candidates < reach;
        reach := reach * 4;
    end loop;

    return query
        update jobs.job set
            state = 'RUNNING', attempt = attempt + 1, lease_token = token, worker_id = who,
            lease_expires_at = clock_timestamp() + lease, started_at = clock_timestamp(), progress = 0, note = ''
        where id = any(taken) returning *;
end $$;


create function jobs.heartbeat(target bigint, token uuid, done double precision, line text, lease interval)
returns text
language plpgsql as $$
-- Extend the lease and store the progress; 'ok', 'cancelled' or 'lost'.
declare
    j jobs.job;
begin
    update jobs.job set lease_expires_at = clock_timestamp() + lease, progress = done, note = line
    where id = target and lease_token = token and state = 'RUNNING' returning * into j;
    if found then
        update jobs.worker set last_seen = clock_timestamp() where id = j.worker_id;
        return 'ok';
    end if;
    select * into j from jobs.job where id = target and lease_token = token;
    return case when j.state = 'CANCELLED' then 'cancelled' else 'lost' end;
end $$;


create function jobs.complete(target bigint, token uuid, outcome jsonb) returns text
language plpgsql as $$
-- Store the result and apply the kind's effect; 'done', 'already_done' or 'lost'.
declare
    j jobs.job;
    effect regprocedure;
begin
    update jobs.job set
        state = 'COMPLETED', result = outcome, error = null, progress = 1, lease_expires_at = null,
        finished_at = clock_timestamp()
    where id = target and lease_token = token and state = 'RUNNING' returning * into j;
    if not found then
        perform from jobs.job where id = target and lease_token = token and state = 'COMPLETED';
        return case when found then 'already_done' else 'lost' end;
    end if;
    -- looked up anew each time (a few microseconds): a cached answer would outlive the migration that adds the function
    effect := to_regprocedure(
        split_part(j.kind, '.', 1) || '.on_' || split_part(j.kind, '.', 2) || '(bigint,jsonb,jsonb)'
    );
    if effect is not null then
        execute 'select ' || effect::oid::regproc || '($1, $2, $3)' using j.id, j.payload, j.result;
    end if;
    perform jobs.job_ended(j, 'COMPLETED', null);
    return 'done';
end $$;


create function jobs.release(
    j jobs.job, what text, reason text, retry boolean, counted boolean, backoff interval
) returns text
language plpgsql as $$
-- End a running attempt, whose row the caller has locked, without a result: back to PENDING, or FAILED.
-- An attempt that does not count (its worker was told to stop) may be taken again at once.
begin
    if retry and (not counted or j.attempt < j.max_attempts) then
        update jobs.job set
            state = 'PENDING', error = reason, lease_expires_at = null, progress = 0, note = '',
            attempt = case when counted then j.attempt else j.attempt - 1 end,
            run_after = case
                when counted then clock_timestamp() + least(backoff * 2 ^ (j.attempt - 1), interval '5 minutes')
                else clock_timestamp()
            end,
            delayed = counted
        where id = j.id;
        perform jobs.attempt_ended(j, what, reason);
        perform pg_notify('jobs', '');
        return 'PENDING';
    end if;
    update jobs.job set
        state = 'FAILED', error = reason, lease_expires_at = null, finished_at = clock_timestamp()
    where id = j.id;
    perform jobs.job_ended(j, what, reason);
    return 'FAILED';
end $$;


create function jobs.fail(
    target bigint, token uuid, reason text, retry boolean, counted boolean, backoff interval
) returns text
language plpgsql as $$
-- Report that the attempt did not succeed; the job's new state, or null when the lease is lost.
declare
    j jobs.job;
begin
    select * into j from jobs.job where id = target and lease_token = token and state = 'RUNNING' for update;
    if found then
        return jobs.release(
            j, case when counted then 'FAILED' else 'GIVEN_BACK' end, reason, retry, counted, backoff
        );
    end if;
    select * into j from jobs.job where id = target and lease_token = token and state in ('PENDING', 'FAILED');
    return j.state;
end $$;


create function jobs.rescue(backoff interval) returns int
language plpgsql as $$
-- Take back jobs whose lease ran out; how many. Safe from any number of processes at once.
declare
    j jobs.job;
    rescued int := 0;
begin
    for j in
        select * from jobs.job where state = 'RUNNING' and lease_expires_at < clock_timestamp()
        order by id for update skip locked
    loop
        perform jobs.release(
            j, 'LEASE_EXPIRED',
            format(
                'worker %s stopped answering during attempt %s of %s (lease ran out at %s)',
                j.worker_id, j.attempt, j.max_attempts, j.lease_expires_at
            ),
            true, true, backoff
        );
        rescued := rescued + 1;
    end loop;
    delete from jobs.worker where last_seen < clock_timestamp() - interval '1 day';
    return rescued;
end $$;


create function jobs.cancel(target bigint) returns text
language plpgsql as $$
-- Cancel a job that has not ended; the state it was in, or null when there is no such job.
declare
    j jobs.job;
begin
    select * into j from jobs.job where id = target for update;
    if j.state in ('PENDING', 'RUNNING') then
        update jobs.job set state = 'CANCELLED', lease_expires_at = null, finished_at = clock_timestamp()
        where id = target;
        perform jobs.job_ended(j, 'CANCELLED', null);
    end if;
    return j.state;
end $$;
