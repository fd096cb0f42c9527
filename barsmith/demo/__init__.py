"""One complete run: starts a stack of its own and drives it through the public API, as a user would."""
