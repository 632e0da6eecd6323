"""A folder of mapping files, as files.

In: a path. Out: which files belong to it, their version, a snapshot that stays what it was.
"""
