"""What all commands share: general options, drawing for people, JSON for programs, progress.

In: frozen values. Out: lines on a terminal.
"""
