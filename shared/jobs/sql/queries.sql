-- name: submit
-- Enqueue jobs in order; their ids.
select jobs.submit(%(items)s::jsonb) as ids;

-- name: submit_group
-- Enqueue a group and remember its continuation; the group's id.
select jobs.submit_group(%(items)s::jsonb, %(continuation)s::jsonb) as id;

-- name: claim
-- Take ready jobs, or those this token already took.
select
    id, kind, payload, priority, run_after, state, attempt, max_attempts, max_runtime, worker_id, progress, note,
    result, error, group_id, unique_key, created_at, started_at, finished_at
from jobs.claim(%(kinds)s::text[], %(limit)s, %(token)s, %(worker)s, %(lease)s)
order by priority desc, id;

-- name: heartbeat
-- Extend the leases of one token's jobs.
select r.id, jobs.heartbeat(r.id, %(token)s, r.progress, r.note, %(lease)s) as answer
from jsonb_to_recordset(%(reports)s::jsonb) as r (id bigint, progress double precision, note text)
order by r.id;

-- name: complete
-- Complete one token's jobs: results, effects, groups.
select r.id, jobs.complete(r.id, %(token)s, r.result) as answer
from jsonb_to_recordset(%(results)s::jsonb) as r (id bigint, result jsonb)
order by r.id;

-- name: fail
-- End an attempt without a result; the job's new state, or null when the lease is lost.
select jobs.fail(%(job_id)s::bigint, %(token)s, %(error)s, %(retry)s, %(counted)s, %(backoff)s) as state;

-- name: fence
-- The job's id if its lease is live; the share lock keeps it so until this transaction ends.
select id from jobs.job
where id = %(job_id)s and lease_token = %(token)s and state = 'RUNNING' and lease_expires_at > clock_timestamp()
for share;

-- name: rescue
-- Take back jobs whose lease ran out; how many.
select jobs.rescue(%(backoff)s) as rescued;

-- name: cancel
-- Cancel a job that has not ended; the state it was in.
select jobs.cancel(%(job_id)s::bigint) as state;

-- name: leave
-- Forget a worker that stopped by itself.
delete from jobs.worker where id = %(worker)s;

-- name: job
-- One job.
select
    id, kind, payload, priority, run_after, state, attempt, max_attempts, max_runtime, worker_id, progress, note,
    result, error, group_id, unique_key, created_at, started_at, finished_at
from jobs.job where id = %(job_id)s;

-- name: jobs
-- One page of jobs, newest first.
select
    id, kind, payload, priority, run_after, state, attempt, max_attempts, max_runtime, worker_id, progress, note,
    result, error, group_id, unique_key, created_at, started_at, finished_at
from jobs.job
where
    (%(kind)s::text is null or kind = %(kind)s)
    and (%(state)s::text is null or state = %(state)s)
    and (
        %(group_id)s::bigint is null
        or id in (select job_id from jobs.membership where group_id = %(group_id)s)
    )
order by id desc
limit %(limit)s offset %(offset)s;

-- name: newest
-- The newest jobs of some kinds.
select
    id, kind, payload, priority, run_after, state, attempt, max_attempts, max_runtime, worker_id, progress, note,
    result, error, group_id, unique_key, created_at, started_at, finished_at
from jobs.job
where kind = any(%(kinds)s)
order by id desc
limit %(limit)s;

-- name: count_jobs
-- How many jobs the same filters leave.
select count(*) as total
from jobs.job
where
    (%(kind)s::text is null or kind = %(kind)s)
    and (%(state)s::text is null or state = %(state)s)
    and (
        %(group_id)s::bigint is null
        or id in (select job_id from jobs.membership where group_id = %(group_id)s)
    );

-- name: group
-- The members of a group in the order they were submitted.
select
    j.id, j.kind, j.payload, j.priority, j.run_after, j.state, j.attempt, j.max_attempts, j.max_runtime,
    j.worker_id, j.progress, j.note, j.result, j.error, j.group_id, j.unique_key, j.created_at, j.started_at,
    j.finished_at
from jobs.membership as m join jobs.job as j on j.id = m.job_id
where m.group_id = %(group_id)s
order by j.id;

-- name: group_exists
-- The group's id, if there is such a group.
select id from jobs.job_group where id = %(group_id)s;

-- name: counts
-- Jobs by kind and state.
select kind, state, count(*) as jobs from jobs.job group by kind, state order by kind, state;

-- name: activity
-- What each kind waits for and gets done: one row a kind that has ever had a job. `last_hour`: jobs done in each of
-- twelve spans of five minutes, the oldest first.
with finished as (
    select kind, least(11, floor(extract(epoch from clock_timestamp() - finished_at) / 300))::int as ago, count(*) as jobs
    from jobs.job
    where state = 'COMPLETED' and finished_at > clock_timestamp() - interval '1 hour'
    group by 1, 2
),

standing as (
    select
        kind,
        count(*) filter (where state = 'PENDING') as waiting,
        count(*) filter (where state = 'RUNNING') as running,
        count(*) filter (where state = 'COMPLETED') as done,
        count(*) filter (where state = 'FAILED') as failed,
        -- a job that may not start yet is not kept waiting
        min(run_after) filter (where state = 'PENDING' and run_after <= clock_timestamp()) as oldest_waiting
    from jobs.job
    group by kind
)

select
    s.*,
    array(
        select coalesce(f.jobs, 0) from generate_series(11, 0, -1) as span (ago)
        left join finished as f on f.kind = s.kind and f.ago = span.ago
        order by span.ago desc
    ) as last_hour
from standing as s
order by s.kind;

-- name: attempts
-- The attempts of a job that have ended, oldest first.
select job_id, attempt, worker_id, started_at, ended_at, outcome, error
from jobs.job_attempt where job_id = %(job_id)s order by ended_at, attempt;

-- name: workers
-- Every worker, what it does now, and whether it has fallen silent (30 s).
select
    w.id, w.kinds, w.started_at, w.last_seen, w.last_seen < clock_timestamp() - interval '15 seconds' as lost,
    j.id as job_id, j.kind, j.progress, j.note
from jobs.worker as w
left join lateral (
    select id, kind, progress, note from jobs.job
    where state = 'RUNNING' and worker_id = w.id order by progress desc, id limit 1
) as j on true
order by w.id;

-- name: live
-- The job of a unique key that has not ended.
select
    id, kind, payload, priority, run_after, state, attempt, max_attempts, max_runtime, worker_id, progress, note,
    result, error, group_id, unique_key, created_at, started_at, finished_at
from jobs.job where unique_key = %(unique_key)s and state in ('PENDING', 'RUNNING');

-- name: count_forgettable
-- Ended jobs before a moment.
select count(*) as jobs from jobs.job
where state in ('COMPLETED', 'FAILED', 'CANCELLED') and finished_at < %(before)s;

-- name: forget
-- Delete some ended jobs before a moment with their history, but none of a group that goes on; how many.
with old as (
    select j.id from jobs.job as j
    where
        j.state in ('COMPLETED', 'FAILED', 'CANCELLED') and j.finished_at < %(before)s
        and not exists (
            select from jobs.membership as m
            join jobs.job_group as g on g.id = m.group_id
            left join jobs.job as c on c.id = g.continuation_job_id
            where m.job_id = j.id and (g.open > 0 or c.state in ('PENDING', 'RUNNING'))
        )
    order by j.id limit %(limit)s for update skip locked
),

memberships as (delete from jobs.membership where job_id in (select id from old)),

attempts as (delete from jobs.job_attempt where job_id in (select id from old)),

gone as (delete from jobs.job where id in (select id from old) returning id)

select count(*) as jobs from gone;
