"""Charts as SVG, made on the server, with a table behind each. Pure.

In: figures with their names. Out: SVG that stands in a page or on paper, without a style or a script in it.
"""
