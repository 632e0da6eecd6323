"""`adapter demo`: the round trip with real processes over real HTTP, and a check that trusts nobody.

In: an empty folder. Out: a year that went to two hospitals and came back, and whether every check held.

`script` is the order of events, `processes` starts and kills, `expected` counts in the workbook what
hospitals should hold (by its own rules, not the pipeline's), `checks` looks at what they do hold.
"""
