"""Reads a hospital's result into its parts, imports the units and the terminology of mapping.

In: a DiagnosticReport, Observation or Procedure, what the same hospital sent that it refers to, our measures.
Out: a `result_content.ResultContent`. Nothing here trusts a shape: an element of the wrong kind is absent.
"""
