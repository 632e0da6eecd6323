"""Text in the encodings of old fonts, and UTF-8 that was read as something else, as it was meant.

In: text of a cell, or the cells of a column. Out: whether it is Vietnamese as it stands, how it reads in each
legacy encoding, the one encoding in which a whole column is Vietnamese. Pure.
"""
