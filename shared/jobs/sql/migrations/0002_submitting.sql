-- Submitting jobs and groups, and what an ending job owes to others.

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
