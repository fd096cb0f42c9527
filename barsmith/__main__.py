"""`python -m barsmith`: the same as the `barsmith` command."""

from barsmith.cli import main

main()
