"""Every kind of job, and the service whose worker runs it.

A kind is `<service schema>.<verb>`. When a job of that kind completes, the queue calls the Postgres function
`<service schema>.on_<verb>(job_id bigint, payload jsonb, result jsonb)`, if the service's migrations made one,
in the very transaction that completes the job: that function is the job's effect, and it is applied exactly once.
"""

from __future__ import annotations

from enum import StrEnum


class JobKind(StrEnum):
    """What a worker can be asked to do."""

    #: fetch bars of one symbol from a provider into the lake
    INGEST_BARS = "ingestion.ingest"
    #: fetch bars of many symbols, together where the provider can do that
    INGEST_MANY = "ingestion.ingest_many"
    #: ask providers for the splits, dividends and renames of one symbol
    FETCH_ACTIONS = "ingestion.fetch_actions"
    #: import bars from files into the lake
    IMPORT_FILES = "ingestion.import"
    #: ask again for the gaps of one symbol, then make bars up for what is left
    FILL_GAPS = "ingestion.fill"
    #: compare stored bars of one symbol with another provider's
    COMPARE_BARS = "ingestion.compare"
    #: one run of the agent that fetches what the watchlist lacks
    BACKFILL_AGENT = "ingestion.backfill_agent"
    #: one session of the agent that stores bars as they close; holds its worker for hours (see LASTING)
    LIVE_AGENT = "ingestion.live_agent"
    #: one run of the agent that looks for gaps
    SCAN_AGENT = "ingestion.scan_agent"
    #: one run of the agent that asks again for gaps and may fill them
    FILL_AGENT = "ingestion.fill_agent"
    #: one run of the agent that removes what retention rules name
    RETENTION_AGENT = "ingestion.retention_agent"
    #: compute features of one symbol
    BUILD_FEATURES = "features.build"
    #: fit one model over walk-forward folds and freeze its artefact
    TRAIN = "training.train"
    #: predict with a frozen artefact over another window or symbol
    PREDICT = "training.predict"
    #: simulate one model's predictions under a grid of settings
    SWEEP = "simulation.sweep"
    #: simulate a chosen run again under harder terms, and at random times
    STRESS = "simulation.stress"
    #: start a generation: submit its trainings
    BREED = "orchestrator.breed"
    #: collect a generation's models, prune, submit their simulations
    TRIAL = "orchestrator.trial"
    #: judge a generation: nominate for the sealed holdout, recurse or stop
    JUDGE = "orchestrator.judge"
    #: read the one look at the sealed holdout and promote, or not
    VERDICT = "orchestrator.verdict"
    #: submit the predictions a batch still lacks
    BATCH = "optimization.batch"
    #: submit a batch's sweeps
    BATCH_SWEEP = "optimization.sweep"
    #: collect a batch's results into the leaderboard
    BATCH_RANK = "optimization.rank"

    @property
    def schema(self) -> str:
        """The Postgres schema, and so the service, that owns this kind."""
        return self.value.split(".", 1)[0]

    @property
    def verb(self) -> str:
        """What is done."""
        return self.value.split(".", 1)[1]


#: Kinds whose jobs hold a worker for hours. A worker takes them only when it is told to by name, so that ordinary
#: work is never kept waiting by one; `barsmith up` starts one worker for them.
LASTING = frozenset({JobKind.LIVE_AGENT})
