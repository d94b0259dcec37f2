"""tcptop: a top for TCP."""

__version__ = "0.1.0"
