"""The stages of both paths, and the only place where they meet.

::

    out   records -> mapping -> disclosure -> ledger -> delivery
    back  inbox -> matching -> records

In comes an `Adapter`, opened from the settings; out goes what the database holds afterwards, and a frozen
summary of it. A stage's module is imported by whoever needs it: `adapter status` needs no mapping engine.
"""
