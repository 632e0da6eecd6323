"""The mapping language: reading, merging, checking and compiling files, without any record.

In: YAML files, R4's definitions, the fields and code tables that exist. Out: compiled programs, or every
mistake with file, line and column.
"""
