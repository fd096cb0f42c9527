"""Live events: what changed about jobs and workers, pushed to browsers over one stream."""
