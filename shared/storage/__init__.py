"""Where things are kept: Postgres (rows, by named SQL) and the lake (series and matrices, as Parquet)."""
