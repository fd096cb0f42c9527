"""What the routes take and answer, by noun."""
