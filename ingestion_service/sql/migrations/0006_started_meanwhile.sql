-- An agent that is started while a halted run of it ends goes on: start finds that run alive and submits no other.

create function ingestion.agent_ended(run_id bigint, which text, outcome jsonb) returns void
language plpgsql as $$
-- Remember how a run ended. A halted one handed in no next run: if its agent is wanted again by now, submit it here,
-- in the transaction that ends the run, where no start can come between.
declare
    still_wanted text;
begin
    update ingestion.agent
    set runs = runs + 1, last_ended_at = clock_timestamp(), last_result = outcome, note = ''
    where name = which
    returning wanted into still_wanted;
    if still_wanted = 'running' and outcome ?| array['skipped', 'ended_early'] then
        perform jobs.submit(jsonb_build_array(jsonb_build_object(
            'kind', run.kind, 'payload', run.payload, 'priority', run.priority, 'unique_key', run.unique_key,
            'max_attempts', run.max_attempts, 'max_runtime_s', extract(epoch from run.max_runtime)
        )))
        from jobs.job as run where run.id = run_id;
    end if;
end $$;

create or replace function ingestion.on_backfill_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(job_id, payload ->> 'agent', result) $$;

create or replace function ingestion.on_live_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(job_id, payload ->> 'agent', result) $$;

create or replace function ingestion.on_scan_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(job_id, payload ->> 'agent', result) $$;

create or replace function ingestion.on_fill_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(job_id, payload ->> 'agent', result) $$;

create or replace function ingestion.on_retention_agent(job_id bigint, payload jsonb, result jsonb) returns void
language sql as $$ select ingestion.agent_ended(job_id, payload ->> 'agent', result) $$;

drop function ingestion.agent_ended(text, jsonb);
