-- From when to when what a partition held cannot be told any more, because a sweep forgot it: one row a partition,
-- so that a read as of such a moment is refused and not answered with a part of what there was.
create table lake.swept (
    dataset text not null,
    partition text collate "C" not null,
    partition_values jsonb not null,
    -- of all rows forgotten
    min_ts timestamptz,
    max_ts timestamptz,
    begins timestamptz not null,
    ends timestamptz not null,
    primary key (dataset, partition)
);
