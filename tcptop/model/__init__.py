"""Values only: what was read (Sample) and what it means (Snapshot). No I/O here."""
