"""Measuring what a hospital's server really does, with test resources that are removed again.

In come a client, a test identifier system, limits; out go a server card, and a finding for each behaviour.
`request_probes` and `bundle_probes` do (a few requests each), `evaluation` judges the answers (pure),
`session` makes the test resources and remembers them, `cleanup` removes them, `examination` puts it together.
"""
