"""The queue: jobs in Postgres, and the worker processes that take them. See `docs/jobs.md`."""
