"""Programs as they are found on the hosts of others: scripts, each run by its path."""
