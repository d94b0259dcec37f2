"""Pure functions from samples to snapshots. No I/O, no clock but the sample's."""
