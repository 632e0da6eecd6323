"""The read side: all that is shown to a person or a program, as frozen values.

In: the adapter and what is asked about. Out: values without behaviour; nothing is changed by looking.
"""
