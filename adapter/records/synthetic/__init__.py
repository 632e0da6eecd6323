"""The sample year: wholly fictitious people, seeded, with DOMAIN's figures.

`sample_year` yields rows as a centre would have written them; `write_workbook` and `write_csv` write
them. Three people in it are T0: the import must refuse them with everything that belongs to them.
"""

from adapter.records.synthetic.plan import SamplePlan
from adapter.records.synthetic.sample_files import write_csv, write_workbook
from adapter.records.synthetic.sample_rows import sample_year

__all__ = ["SamplePlan", "sample_year", "write_csv", "write_workbook"]
