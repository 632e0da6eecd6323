"""How likely two descriptions are of one person: Fellegi and Sunter's record linkage, in bits. Pure.

In: what is said of somebody, and what a record says. Out: the points that speak for it and against it, part
by part, each the base-2 logarithm of how many times likelier it is of one person than of two. Who adds them
up ranks; nothing here links. `weights.csv` and `name_tokens.csv` are made by
`benchmarks/support/linkage_weights.py`.
"""
