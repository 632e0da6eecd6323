"""The sample year: wholly fictitious people, seeded, with DOMAIN's figures.

In: a seed, a number of people, a year. Out: rows as a centre would have written them (`sample_year`), or a
workbook or CSVs of them. Three people are T0: the import must refuse them with all that belongs to them.
"""

from adapter.records.synthetic.plan import SamplePlan
from adapter.records.synthetic.sample_files import write_csv, write_workbook
from adapter.records.synthetic.sample_rows import sample_year

__all__ = ["SamplePlan", "sample_year", "write_csv", "write_workbook"]
