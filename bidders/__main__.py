"""`python -m bidders`."""

from bidders.cli import main

main()
