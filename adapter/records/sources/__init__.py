"""Where rows come from: workbooks, CSVs (here), SQL databases and check-up forms (rooms of their own).

In: paths. Out: tabs, which give numbered rows of one kind, and for a database what is gone from it. Writes
no record.
"""
