-- What a provider was asked for and answered in full, so that it is not asked twice. Written in the very
-- transaction that makes the bars visible.
create table ingestion.fetched (
    symbol text not null,
    provider text not null,
    spans tstzmultirange not null,
    updated_at timestamptz not null default now(),
    primary key (symbol, provider)
);
