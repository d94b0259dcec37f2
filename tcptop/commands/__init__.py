"""The subcommands: each brings a source and a view together, and ends with an exit code."""
