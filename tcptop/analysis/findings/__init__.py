"""Findings: rules over a look and its history, and the engine that runs them."""
