"""The console: the centre's own staff do their day's work in a browser.

In: requests of a browser with the cookie of somebody who is signed in. Out: pages, from
`adapter.insights`, and what `adapter.operations` did. No logic of its own.
"""
