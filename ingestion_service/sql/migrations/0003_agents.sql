-- What is to be kept up to date by itself, and who does it.

create table ingestion.watched (
    symbol text primary key,
    -- bars are wanted from this day on
    since date not null,
    -- whether the live updater listens to it
    live boolean not null default true,
    added_at timestamptz not null default now()
);

-- named lists of symbols, to watch them together
create table ingestion.universe (
    name text primary key,
    symbols text [] not null,
    changed_at timestamptz not null default now()
);

-- One row for each agent that was ever started. Its runs are jobs with the unique key 'agent <name>'.
create table ingestion.agent (
    name text primary key,
    wanted text not null default 'stopped' check (wanted in ('running', 'paused', 'stopped')),
    options jsonb not null default '{}',
    -- when a run last said that it lives, and what it did then
    heartbeat_at timestamptz,
    note text not null default '',
    -- what is wrong and since when; null when nothing is
    alert text,
    alert_since timestamptz,
    runs bigint not null default 0,
    last_ended_at timestamptz,
    last_result jsonb,
    changed_at timestamptz not null default now()
);

-- Errors by class and hour; few classes and few hours, so it stays small.
create table ingestion.trouble (
    hour timestamptz not null,
    agent text not null,
    kind text not null,
    count bigint not null default 1,
    last_at timestamptz not null default now(),
    example text not null,
    primary key (hour, agent, kind)
);


create function ingestion.agent_ended(which text, outcome jsonb) returns void
language sql as $$
    -- A run of an agent has ended: remember how.
    update ingestion.agent
    set runs = runs + 1, last_ended_at = clock_timestamp(), last_result = outcome, note = ''
    where name = which
$$;

create function ingestion.on_backfill_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(payload ->> 'agent', result) $$;

create function ingestion.on_live_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(payload ->> 'agent', result) $$;

create function ingestion.on_scan_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(payload ->> 'agent', result) $$;

create function ingestion.on_fill_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(payload ->> 'agent', result) $$;

create function ingestion.on_retention_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(payload ->> 'agent', result) $$;
