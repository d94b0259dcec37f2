"""Findings: rules over a sample and its history, and the engine that runs them."""
