"""For tests of whatever works with the adapter, its own among them: hospitals, a clock, faults, a centre.

In: what a test wants to happen. Out: a FHIR server in memory or as a process, time that moves when told, a
centre in a folder whose commands run. docs/testing.md shows each of them at work.

A fake hospital answers as a server would, misbehaves when told, and is looked at afterwards:

>>> import httpx
>>> from adapter.testing import FakeHospital, answers
>>> hospital = FakeHospital(faults=[answers(503)])
>>> client = httpx.Client(base_url=hospital.base, transport=hospital.transport)
>>> patient = {"resourceType": "Patient", "identifier": [{"system": "urn:centre", "value": "1"}]}
>>> [client.put("/Patient?identifier=urn:centre|1", json=patient).status_code for _ in range(3)]
[503, 201, 200]
>>> [(one["id"], one["meta"]["versionId"]) for one in hospital.of_type("Patient")]
[('s2', '2')]
"""

from adapter.demo.hospital import HospitalView
from adapter.demo.processes import free_port, until
from adapter.testing.centre import HOSPITALS, Centre
from adapter.testing.clock import ManualClock, ManualClockEvent
from adapter.testing.commands import ADAPTER, Commands
from adapter.testing.fake_hospital import FakeHospital
from adapter.testing.faults import (
    Fault,
    answers,
    drops,
    entry_answer,
    operation_outcome,
    refuses_connection,
    times_out,
)
from adapter.testing.hospital_process import HospitalProcess
from adapter.testing.server_cards import CAPABLE_SERVER
from adapter.testing.serving import serving
from adapter.testing.workbooks import first_people, with_cells

__all__ = [
    "ADAPTER",
    "CAPABLE_SERVER",
    "HOSPITALS",
    "Centre",
    "Commands",
    "FakeHospital",
    "Fault",
    "HospitalProcess",
    "HospitalView",
    "ManualClock",
    "ManualClockEvent",
    "answers",
    "drops",
    "entry_answer",
    "first_people",
    "free_port",
    "operation_outcome",
    "refuses_connection",
    "serving",
    "times_out",
    "until",
    "with_cells",
]
