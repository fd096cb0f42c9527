"""The pure part of ingestion: checks, spans, coverage."""
