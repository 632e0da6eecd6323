"""A versioned store of FHIR resources with search: behind the endpoint, and all that a sandbox has.

`repository` has the interactions; `entries`, `query`, `plan`, `references` and `content` decide
without a database; `store` holds all SQL.
"""
