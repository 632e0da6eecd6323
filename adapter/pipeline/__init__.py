"""The stages of both paths, as verbs.

::

    out   import_files -> plan -> sync          (records, mapping, disclosure, ledger, delivery)
          preview                               (what a changed mapping would do, before a sync)
          diagnose, remeasure                   (what a hospital's server really does)
    back  receive -> process_inbox -> link      (web, inbox, matching, records)

and two to look: status, explain. This package is the only place where stages meet. A verb's module is
imported when the verb is first asked for: `adapter status` needs no mapping engine. (`preview` and
`problems` are modules' names too, and are found there.)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapter.inbox.receive import accept as receive
    from adapter.pipeline.alarms import raise_alarms
    from adapter.pipeline.doctor import diagnose, remeasure
    from adapter.pipeline.foresight import Plan, plan
    from adapter.pipeline.hospitals import Served, reset, served, switch
    from adapter.pipeline.inbound import forget, link, process_inbox, unlink
    from adapter.pipeline.inforce import trouble
    from adapter.pipeline.opened import Adapter, load_mappings, policy_warnings
    from adapter.pipeline.planning import write_bundles
    from adapter.pipeline.standing import status
    from adapter.pipeline.syncing import Summary, sync
    from adapter.pipeline.whereabouts import explain
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

_MODULES = {
    "alarms": "raise_alarms",
    "doctor": "diagnose remeasure",
    "foresight": "Plan plan",
    "hospitals": "Served reset served switch",
    "inbound": "forget link process_inbox unlink",
    "inforce": "trouble",
    "opened": "Adapter load_mappings policy_warnings",
    "planning": "write_bundles",
    "standing": "status",
    "syncing": "Summary sync",
    "whereabouts": "explain",
    "working": "Job SharedBeats turn_for work",
}
_HOMES = {verb: module for module, verbs in _MODULES.items() for verb in verbs.split()}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """The verb, from its module."""
        if name == "receive":
            found = import_module("adapter.inbox.receive").accept
        elif name in _HOMES:
            found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found
