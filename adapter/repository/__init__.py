"""A versioned store of FHIR resources with search: behind the endpoint, and all that a sandbox has.

In comes an owner and an interaction (read, search, create, update, delete, Bundle); out goes what was stored
or found, as bytes, or an error with issues. `repository` has the interactions; `bundle_entries`,
`search_query`, `write_plan`, `reference_rewriting` and `stored_content` decide without a database; `store`
holds all SQL.
"""
