"""All input and output of ingestion: the lake, Postgres, files to import, and market data providers."""
