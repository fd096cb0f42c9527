-- A run also says what its fills paid and from which cash: runs of other costs cannot be ranked against each other.
create or replace view simulation.listed_run as
select
    run.sweep || '-' || run.index as id,
    run.sweep,
    run.index,
    sweep.model,
    sweep.symbol,
    sweep.evidence,
    sweep.window_start,
    sweep.window_end,
    sweep.created_at,
    run.setting,
    run.metrics,
    sweep.request -> 'costs' as costs,
    (sweep.request ->> 'starting_cash')::double precision as starting_cash
from simulation.run
inner join simulation.sweep on run.sweep = sweep.fingerprint;
