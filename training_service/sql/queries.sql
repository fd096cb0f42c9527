-- name: model
-- One model by its fingerprint.
select * from training.model where fingerprint = %(fingerprint)s

-- name: models
-- A page of models, filtered, sorted by one number (missing ones last), ties in a fixed order.
select *
from training.model
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(parent)s::text is null or parent = %(parent)s)
    and (%(feature_set)s::text is null or feature_set = %(feature_set)s)
order by
    %(sign)s * case %(sort)s
        when 'created_at' then extract(epoch from created_at)::double precision
        when 'ic' then (metrics ->> 'ic')::double precision
        when 'r2' then (metrics ->> 'r2')::double precision
        when 'hit_rate' then (metrics ->> 'hit_rate')::double precision
        when 'horizon_bars' then (target ->> 'horizon_bars')::double precision
    end asc nulls last,
    created_at desc,
    fingerprint
limit %(limit)s offset %(offset)s

-- name: models_by_set
-- How many models were trained on each feature set, by its id.
select coalesce(jsonb_object_agg(feature_set, models), '{}')
from (select feature_set, count(*) as models from training.model group by feature_set) as counted

-- name: count_models
-- How many models the same filters leave.
select count(*)
from training.model
where
    (%(symbol)s::text is null or symbol = %(symbol)s)
    and (%(parent)s::text is null or parent = %(parent)s)
    and (%(feature_set)s::text is null or feature_set = %(feature_set)s)
