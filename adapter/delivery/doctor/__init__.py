"""Measuring what a hospital's server really does, with test resources that are removed again.

`probes` do (a few requests each), `judge` judges the answers (pure), `bench` makes the test
resources and remembers them, `cleaning` removes them, `examine` puts it together.
"""
