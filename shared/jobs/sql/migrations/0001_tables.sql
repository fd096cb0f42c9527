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
