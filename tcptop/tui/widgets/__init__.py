"""Widgets that draw lines; none looks for its siblings or does I/O."""
