"""The stages of both paths, as verbs.

::

    out   import_files -> plan -> sync          (records, mapping, disclosure, ledger, delivery)
          preview                               (what a changed mapping would do, before a sync)
          diagnose, remeasure                   (what a hospital's server really does)
    back  receive -> process_inbox -> link      (web, inbox, matching, records)

and two to look: status, explain. This package is the only place where stages meet.
"""

from adapter.inbox.receive import accept as receive
from adapter.pipeline.alarms import raise_alarms
from adapter.pipeline.doctor import diagnose, remeasure
from adapter.pipeline.foresight import Plan, plan
from adapter.pipeline.hospitals import Served, reset, served, switch
from adapter.pipeline.inbound import forget, link, process_inbox, unlink
from adapter.pipeline.inforce import trouble
from adapter.pipeline.opened import Adapter, load_mappings, policy_warnings
from adapter.pipeline.planning import write_bundles
from adapter.pipeline.preview import preview
from adapter.pipeline.problems import problems
from adapter.pipeline.standing import explain, status
from adapter.pipeline.syncing import Summary, sync
from adapter.pipeline.working import Job, SharedBeats, turn_for, work

__all__ = [
    "Adapter",
    "Job",
    "Plan",
    "Served",
    "SharedBeats",
    "Summary",
    "diagnose",
    "explain",
    "forget",
    "link",
    "load_mappings",
    "plan",
    "policy_warnings",
    "preview",
    "problems",
    "process_inbox",
    "raise_alarms",
    "receive",
    "remeasure",
    "reset",
    "served",
    "status",
    "switch",
    "sync",
    "trouble",
    "turn_for",
    "unlink",
    "work",
    "write_bundles",
]
