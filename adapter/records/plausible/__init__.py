"""Whether what a row says can be true of a living person.

In: the fields of a row, what is known of its person and visit, the table `mappings/codes/plausible.csv`.
Out: findings: refused where it is impossible, held for a person where it is only unlikely. Reads no database.
"""
