"""The path back.

In: what a hospital sent, stored in the inbox. Out: results and fulfilments in the local record, or items
that wait for a person.
"""
