"""What every service's web process shares. Start at README.md, then service.py."""
