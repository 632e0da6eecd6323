"""Mapping records to FHIR resources and back: files are checked and compiled once, then pure.

`loader.Mappings` loads a folder, `engine.Engine` maps records for one hospital, `reverse` reads
results. Nothing is imported here, so that a command that maps nothing stays fast.
"""
