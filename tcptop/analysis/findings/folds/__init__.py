"""Which finding explains which: functions for `folding.PAIRS`."""
