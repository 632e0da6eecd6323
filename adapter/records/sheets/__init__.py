"""What the sheet of each kind of record looks like.

In: a cell, a header row. Out: the record field and its value, or what was expected; an empty template
workbook. Knows no file and no database.
"""
