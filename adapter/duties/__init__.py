"""What a service does by itself, again and again: a file for each duty.

In: the adapter, a clock and a schedule. Out: work done on every beat, by one process at a time.
"""
