"""Grid search: models x symbols x settings, one leaderboard."""
