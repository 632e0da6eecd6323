"""The ledger's words.

In: nothing. Out: its tables, the values that pass in and out, the states of an entry and what moves it from
one to the next, its packed transitions.
"""
