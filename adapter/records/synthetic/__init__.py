"""The sample year: wholly fictitious people, seeded, with DOMAIN's figures.

`sample_year` yields rows as a centre would have written them; `write_workbook` and `write_csv` write
them. Three people in it are T0: the import must refuse them with everything that belongs to them.
"""

from adapter.records.synthetic.workbook import write_csv, write_workbook
from adapter.records.synthetic.year import Year, sample_year

__all__ = ["Year", "sample_year", "write_csv", "write_workbook"]
