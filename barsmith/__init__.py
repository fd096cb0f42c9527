"""The composition root: the command line, the local supervisor that starts everything, the demo, the doctor."""
