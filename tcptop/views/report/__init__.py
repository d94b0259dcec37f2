"""A post-mortem: what a recording shows, as a page or as Markdown.

`course.py` goes through the samples, `page.py` says what happened in words, tables and charts,
`svg.py` draws a chart, `html.py` and `markdown.py` write it.
"""
