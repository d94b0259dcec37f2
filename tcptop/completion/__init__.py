"""Completion scripts for shells, made from the parsers: `arguments.py` says what a command takes,
each shell has a file that writes it as that shell wants it. The scripts start no tcptop."""
