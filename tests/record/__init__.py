"""Recordings: the file, the command that writes it, and those that read it."""
