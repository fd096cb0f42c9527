"""A local exchange that speaks Alpaca's market-data REST protocol and serves a synthetic, deterministic market."""
