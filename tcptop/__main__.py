"""`python -m tcptop`."""

from tcptop.cli import main

main()
