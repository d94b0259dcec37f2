"""Replaying recordings of real sockets."""
