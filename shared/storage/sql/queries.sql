-- name: live_files
-- The live files of the partitions within a key range, whose values and times match.
select
    id, partition, partition_values, content_hash, columns, row_count, byte_count, min_ts, max_ts, committed_at
from lake.file
where dataset = %(dataset)s
    and partition >= %(first)s
    and partition < %(last)s
    and not exists (
        select from jsonb_each(%(wanted)s) as wanted (name, choices)
        where not choices ? (partition_values ->> wanted.name)
    )
    and (%(end)s::timestamptz is null or min_ts is null or min_ts < %(end)s)
    and (%(start)s::timestamptz is null or max_ts is null or max_ts >= %(start)s)
    and superseded_at is null;

-- name: files_as_of
-- The same at an earlier moment: committed by then, and superseded later or not at all.
select
    id, partition, partition_values, content_hash, columns, row_count, byte_count, min_ts, max_ts, committed_at
from lake.file
where dataset = %(dataset)s
    and partition >= %(first)s
    and partition < %(last)s
    and not exists (
        select from jsonb_each(%(wanted)s) as wanted (name, choices)
        where not choices ? (partition_values ->> wanted.name)
    )
    and (%(end)s::timestamptz is null or min_ts is null or min_ts < %(end)s)
    and (%(start)s::timestamptz is null or max_ts is null or max_ts >= %(start)s)
    and committed_at <= %(as_of)s
    and (superseded_at is null or superseded_at > %(as_of)s);

-- name: forgotten_as_of
-- Until when what such files held at that moment was forgotten by sweeps; null when nothing was.
select max(ends) as at
from lake.swept
where dataset = %(dataset)s
    and partition >= %(first)s
    and partition < %(last)s
    and not exists (
        select from jsonb_each(%(wanted)s) as wanted (name, choices)
        where not choices ? (partition_values ->> wanted.name)
    )
    and (%(end)s::timestamptz is null or min_ts is null or min_ts < %(end)s)
    and (%(start)s::timestamptz is null or max_ts is null or max_ts >= %(start)s)
    and begins <= %(as_of)s
    and ends > %(as_of)s;

-- name: changes
-- The moments at which files of a key range and of the wanted values came or went, newest first.
select distinct moment as at
from lake.file, unnest(array[committed_at, superseded_at]) as moment
where dataset = %(dataset)s
    and partition >= %(first)s
    and partition < %(last)s
    and not exists (
        select from jsonb_each(%(wanted)s) as wanted (name, choices)
        where not choices ? (partition_values ->> wanted.name)
    )
    and moment is not null
order by at desc;

-- name: live_files_of
-- The live files of the named partitions.
select
    id, partition, partition_values, content_hash, columns, row_count, byte_count, min_ts, max_ts, committed_at
from lake.file
where dataset = %(dataset)s and partition = any(%(partitions)s) and superseded_at is null;

-- name: hold_off_sweep
-- Until the end of the transaction no sweep deletes files; commits do not hold each other off.
select pg_advisory_xact_lock_shared(hashtextextended('barsmith lake sweep', 0));

-- name: hold_off_commits
-- Until the end of the transaction no commit makes files live.
select pg_advisory_xact_lock(hashtextextended('barsmith lake sweep', 0));

-- name: lock_live
-- Lock those of the files that are still live, in one order for all writers, and return them.
select id, committed_at from lake.file where id = any(%(ids)s) and superseded_at is null order by id for update;

-- name: supersede
-- End the life of files.
update lake.file set superseded_at = %(now)s where id = any(%(ids)s);

-- name: add_file
-- Make a file live.
insert into lake.file (
    dataset, partition, partition_values, content_hash, columns, row_count, byte_count, min_ts, max_ts, committed_at
) values (
    %(dataset)s, %(partition)s, %(partition_values)s, %(content_hash)s, %(columns)s, %(row_count)s, %(byte_count)s,
    %(min_ts)s, %(max_ts)s, %(now)s
);

-- name: forget_superseded
-- Delete history older than a moment, note of when it was, and return where its files were.
with forgotten as (
    delete from lake.file where superseded_at <= %(before)s returning *
),

noted as (
    insert into lake.swept as known (dataset, partition, partition_values, min_ts, max_ts, begins, ends)
    select dataset, partition, partition_values, min(min_ts), max(max_ts), min(committed_at), max(superseded_at)
    from forgotten
    group by dataset, partition, partition_values
    on conflict (dataset, partition) do update set
        min_ts = least(known.min_ts, excluded.min_ts),
        max_ts = greatest(known.max_ts, excluded.max_ts),
        begins = least(known.begins, excluded.begins),
        ends = greatest(known.ends, excluded.ends)
)

select dataset, partition, content_hash from forgotten;

-- name: known_files
-- Where every file that has a row is.
select dataset, partition, content_hash from lake.file;

-- name: lake_id
-- The id that the files' root carries too.
select id::text from lake.identity;

-- name: usage
-- Files, rows and bytes of each dataset: live ones, and superseded ones that were not swept yet.
select
    dataset,
    count(*) filter (where superseded_at is null) as files,
    coalesce(sum(row_count) filter (where superseded_at is null), 0)::bigint as rows,
    coalesce(sum(byte_count) filter (where superseded_at is null), 0)::bigint as bytes,
    count(*) filter (where superseded_at is not null) as superseded_files,
    coalesce(sum(byte_count) filter (where superseded_at is not null), 0)::bigint as superseded_bytes,
    count(*) filter (where superseded_at <= %(before)s) as old_files,
    coalesce(sum(byte_count) filter (where superseded_at <= %(before)s), 0)::bigint as old_bytes
from lake.file
group by dataset
order by dataset;
