"""Records to FHIR resources and back: files are checked and compiled once, then pure.

In come a folder of mapping files and code tables, a record and a hospital's context; out go resources (and on
request where each value came from), and the result fields of a received resource. `loader.Mappings` loads a
folder, `engine.MappingEngine` maps records for one hospital, `result_extraction` reads results. Nothing is
imported here, so that a command that maps nothing stays fast.
"""
