-- What is said of a silent worker is read by people: no fractions of seconds, and no limit of attempts that none has.

create or replace function jobs.rescue(backoff interval) returns int
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
                'worker %s stopped answering during attempt %s%s: its lease ran out at %s UTC',
                j.worker_id, j.attempt, case when j.max_attempts < 1000 then format(' of %s', j.max_attempts) else '' end,
                to_char(j.lease_expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
            ),
            true, true, backoff
        );
        rescued := rescued + 1;
    end loop;
    delete from jobs.worker where last_seen < clock_timestamp() - interval '1 day';
    return rescued;
end $$;
