-- Of which trading days a provider gave the daily bars, so that it is not asked twice. Written in the very transaction
-- that makes the bars visible.
create table ingestion.fetched_days (
    symbol text not null,
    provider text not null,
    days datemultirange not null,
    updated_at timestamptz not null default now(),
    primary key (symbol, provider)
);
