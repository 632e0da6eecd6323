"""The centre's local records: model, store with a change feed, workbook in and out, a sample year."""
