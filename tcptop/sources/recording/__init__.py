"""Samples in a file, whole and without conclusions, and back: bytes in, values out.

A file is a SQLite database of three tables (`schema.py`). Samples are in groups. The first sample
of a group is a key: every column whole. The others are what differs from the one before. The group
that is being written has a row a sample, each ending where a stream of zstd was flushed; once it is
full it becomes one row, compressed anew. A kill or a power cut so costs the sample that was just
being written. Every group is readable on its own, and damage costs one.

    writer.py ─▶ encoder.py ─▶ table_writer.py, values.py … ─▶ payload.py ─▶ zstd.py
    source.py ─▶ reader.py ─▶ decoder.py ─▶ table_reader.py, values.py …

A file may come from anybody: `schema.py` opens it, and all that is read is checked before it is
used. Whatever is wrong with one is a RecordingError, one line.
"""
