"""The year's report as somebody takes it along.

In: a year's figures, last year's beside them, a language. Out: the bytes of a PDF, a workbook or a CSV, or a
MeasureReport: in each of them the same figures.
"""
