"""The backtest itself: arrays in, numbers out. No files, no database, no clock."""
