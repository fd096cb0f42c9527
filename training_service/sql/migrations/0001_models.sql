-- One frozen model, named by what made it. Column names are those of the job's result: on_train relies on it.
create table training.model (
    fingerprint text primary key,
    symbol text not null,
    feature_set text not null,
    features text[] not null,
    estimator text not null,
    params jsonb not null,
    target jsonb not null,
    folds jsonb not null,
    train jsonb not null,
    predict jsonb,
    seed integer not null,
    parent text,
    importance jsonb not null,
    metrics jsonb not null,
    fold_results jsonb not null,
    train_rows integer not null,
    artefact_sha256 text not null,
    data_version text not null,
    code_version text not null,
    job_id bigint not null,
    created_at timestamptz not null default now()
);

create index model_by_symbol on training.model (symbol, created_at desc);
create index model_by_parent on training.model (parent);

-- The effect of a finished training.train job: its model, once, whoever trained it and however often.
create function training.on_train(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$
    insert into training.model
    select model.*
    from jsonb_populate_record(
        null::training.model,
        (result -> 'model') || jsonb_build_object('job_id', on_train.job_id, 'created_at', now())
    ) as model
    where result -> 'model' is not null and result ->> 'reused' = 'false'
    on conflict (fingerprint) do nothing;
$$;
