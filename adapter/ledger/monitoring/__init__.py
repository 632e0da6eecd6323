"""What a person is alarmed about.

In: a moment before which waiting is too long; the problems there are. Out: how many wait and since when;
which alarms began, repeat or ended.
"""
