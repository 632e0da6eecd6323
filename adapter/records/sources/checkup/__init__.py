"""Check-ups on the national form, written as XML.

In: XML files, and a data file that says which element is which field. Out: tabs of rows of people who are
known already.
"""
