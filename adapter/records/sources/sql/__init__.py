"""Records out of any SQL database.

In: one YAML file, which says which query gives which kind of record. Out: tabs of rows that changed since the
last reading, keys that are gone, and how far the database has been read.
"""
