-- Which of the answered spans held no bar at all: there a provider is not asked twice, and others may be asked.
alter table ingestion.fetched add column empty tstzmultirange not null default '{}';

-- Questions that got no answer, until the provider answers the span.
create table ingestion.failed_asks (
    symbol text not null,
    provider text not null,
    span tstzrange not null,
    -- refused: the credentials; not_offered: the provider has no such data; unavailable: it did not answer;
    -- bad: every row of the answer was wrong
    kind text not null check (kind in ('refused', 'not_offered', 'unavailable', 'bad')),
    reason text not null,
    asks bigint not null default 1,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (symbol, provider, span)
);

-- Fields of providers' answers that are not as their documents say.
create table ingestion.drift (
    provider text not null,
    field text not null,
    kind text not null check (kind in ('new', 'missing', 'retyped')),
    -- the JSON type, e.g. number; empty for what is missing
    type text not null,
    expected text not null,
    example text not null,
    rows_seen bigint not null,
    first_seen timestamptz not null default now(),
    last_seen timestamptz not null default now(),
    primary key (provider, field, kind, type)
);
