"""A snapshot for Prometheus: `scrape.py` gathers what is served, each other file is a part of it,
`families.py` how a metric is written. Names, labels and units are public
(https://prometheus.io/docs/practices/naming/), series are bounded in number, and what is not known
has none.
"""
