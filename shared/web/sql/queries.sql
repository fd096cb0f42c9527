-- name: watched
-- What a dashboard shows as live: every running job (at most 200), the newest 100, and the named ones.
select
    id, kind, state, attempt, max_attempts, worker_id, progress, note, error, created_at, started_at, finished_at
from jobs.job
where
    id in (select id from jobs.job where state = 'RUNNING' limit 200)
    or id in (select id from jobs.job order by id desc limit 100)
    or id = any(%(ids)s::bigint[])
order by id;
