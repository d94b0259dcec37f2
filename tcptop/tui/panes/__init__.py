"""Panes: all that is known of a process, connection, listener, destination or remote end.

Plain functions of a snapshot and the rings; no Textual.
"""
