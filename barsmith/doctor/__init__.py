"""What `barsmith doctor` looks at: the machine it runs on, and the house that runs on it."""
