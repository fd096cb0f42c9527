create or replace function jobs.release(
    j jobs.job, what text, reason text, retry boolean, counted boolean, backoff interval
) returns text
language plpgsql as $$
-- End a running attempt, whose row the caller has locked, without a result: back to PENDING, or FAILED.
-- An attempt that does not count (its worker was told to stop) may be taken again at once. Doubled more than 20 times,
-- the pause would be no interval any more: agents are tried again for ever.
begin
    if retry and (not counted or j.attempt < j.max_attempts) then
        update jobs.job set
            state = 'PENDING', error = reason, lease_expires_at = null, progress = 0, note = '',
            attempt = case when counted then j.attempt else j.attempt - 1 end,
            run_after = case
                when counted then clock_timestamp() + least(backoff * 2 ^ least(j.attempt - 1, 20), interval '5 minutes')
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
