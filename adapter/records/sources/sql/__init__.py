"""Records out of any SQL database: one YAML file says which query gives which kind of record."""
