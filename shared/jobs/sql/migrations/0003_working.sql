-- What workers do with jobs: claim, keep, end; and taking back what dead workers held.

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
