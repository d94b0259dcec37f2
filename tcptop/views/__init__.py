"""A selection of a snapshot as text: JSON, NDJSON, CSV, Markdown and plain text."""
