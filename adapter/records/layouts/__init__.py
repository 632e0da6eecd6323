"""What a clerk's table means: which rows are its header, which column is which field, which rows are none.

In: a table of cells as a file holds it. Out: its reading, for people to look at, and tabs of rows of one
kind. Nothing is guessed: what is not understood is named, or asked about. Writes no record.
"""
