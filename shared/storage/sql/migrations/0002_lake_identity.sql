-- Which lake this manifest is of. The files' root carries the same id, so that a sweep with another database does
-- not take all files for orphans.
create table lake.identity (
    only_row boolean primary key default true check (only_row),
    id uuid not null default gen_random_uuid()
);

insert into lake.identity default values;
