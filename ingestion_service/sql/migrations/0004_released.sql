-- Refused rows that somebody judged good: each is stored as a bar and not suspected again. One of a minute, the newest.
-- Written in the very transaction that makes the bars visible.
create table ingestion.released (
    symbol text not null,
    ts timestamptz not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    volume double precision,
    source text not null,
    -- why it had been refused
    reason text not null,
    -- who says that it is good, and why
    released_by text not null,
    why text not null,
    released_at timestamptz not null default now(),
    primary key (symbol, ts)
);
