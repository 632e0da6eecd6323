"""The hospital at work: examines the people it was sent, and pushes the results to the adapter.

What a referral comes to is drawn from a seed and the referral's own identifier, ids included, so
a doctor who was interrupted, or got no answer, sends the very same results again.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from threading import Event

from adapter.errors import FhirError
from adapter.fhir.codec import Resource, dumps, loads
from adapter.repository.repository import Repository
from adapter.repository.search_query import SearchQuery, SortKey
from adapter.telemetry import get_logger

__all__ = ["Clinician", "examine_referral", "result_bundle"]

Post = Callable[[str, bytes, str | None, float], tuple[int, bytes]]
"""Like `adapter.delivery.http.client.post_json`: (url, body, token, timeout) -> (status, body)."""

_log = get_logger("sandbox.doctor")
_HN = timedelta(hours=7)
Test = tuple[str, str, str, str, tuple[int, int], tuple[str, str]]
_TESTS: tuple[Test, ...] = (  # LOINC, name, unit, UCUM, tenths drawn from .. to, normal range
    ("14749-6", "Glucose huyết tương", "mmol/L", "mmol/L", (42, 112), ("3.9", "6.4")),
    ("14647-2", "Cholesterol toàn phần", "mmol/L", "mmol/L", (38, 78), ("3.1", "5.2")),
    ("1742-6", "ALT (GPT)", "U/L", "U/L", (120, 890), ("0", "40")),
    ("14682-9", "Creatinin", "µmol/L", "umol/L", (550, 1390), ("62", "106")),
)


def _id(seed: int, referral: str, part: str) -> str:
    return blake2b(f"{seed}\x1f{referral}\x1f{part}".encode(), digest_size=16).hexdigest()


def _is_treatment(request: Resource) -> bool:
    codings = (coding for category in request.get("category", ()) for coding in category.get("coding", ()))
    return any(coding.get("code") == "treatment" for coding in codings)


def examine_referral(request: Resource, *, hospital: str, seed: int, now: datetime) -> list[Resource]:
    """What a ServiceRequest comes to: Observations and a DiagnosticReport, or a Procedure and one.

    Ids are the hospital's own. `basedOn` names the hospital's copy of the request and, where there
    is one, the business identifier it came with.
    """
    identifier: Resource = next(iter(request.get("identifier", ())), {})
    key = identifier.get("value") or request["id"]
    based_on: Resource = {"reference": f"ServiceRequest/{request['id']}", "type": "ServiceRequest"}
    if identifier:
        based_on["identifier"] = {k: identifier[k] for k in ("system", "value") if k in identifier}
    shared: Resource = {"basedOn": [based_on], "subject": request["subject"]}
    moment = (now + _HN).strftime("%Y-%m-%dT%H:%M:%S") + "+07:00"

    def head(kind: str, part: str) -> Resource:
        own_id = _id(seed, key, part)
        own = {"system": f"https://{hospital}.example/fhir/sid/result", "value": own_id}
        return {"resourceType": kind, "id": own_id, "identifier": [own], **shared}

    treated = _is_treatment(request)
    if treated:
        findings = [_procedure(head("Procedure", "procedure"), request, moment)]
    else:
        dice = random.Random(f"{seed} {key}")  # noqa: S311 - dice for a rehearsal, not a secret
        tests = dice.sample(_TESTS, dice.randint(1, 3))
        findings = [_observation(head("Observation", test[0]), test, moment, dice) for test in tests]
    report: Resource = {
        **head("DiagnosticReport", "report"),
        "status": "final",
        "code": request.get("code") or {"text": "Phiếu kết quả"},
        "effectiveDateTime": moment,
        "issued": moment,
        "performer": [{"type": "Organization", "display": hospital}],
        "conclusion": "Đã điều trị, ổn định" if treated else "Đã khám chuyên khoa, theo dõi định kỳ",
    }
    if not treated:
        report["result"] = [{"reference": f"Observation/{finding['id']}"} for finding in findings]
    return [*findings, report]


def _observation(head: Resource, test: Test, moment: str, dice: random.Random) -> Resource:
    loinc, name, unit, ucum, (low, high), (normal_low, normal_high) = test
    quantity = {"unit": unit, "system": "http://unitsofmeasure.org", "code": ucum}
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    normal = {
        "low": {"value": Decimal(normal_low), **quantity},
        "high": {"value": Decimal(normal_high), **quantity},
    }
    return {
        **head,
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}], "text": name},
        "effectiveDateTime": moment,
        "issued": moment,
        "valueQuantity": {"value": Decimal(dice.randint(low, high)) / 10, **quantity},
        "referenceRange": [normal],
    }


def _procedure(head: Resource, request: Resource, moment: str) -> Resource:
    return {
        **head,
        "status": "completed",
        "code": request.get("code") or {"text": "Điều trị"},
        "performedDateTime": moment,
        "outcome": {"text": "Kết quả tốt"},
    }


def result_bundle(resources: list[Resource]) -> Resource:
    """A transaction that puts each resource under its own id, so that sending it twice is sending it once."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
            }
            for resource in resources
        ],
    }


@dataclass
class Clinician:
    """Looks through the hospital's own repository for active referrals, `delay_seconds` seconds old."""

    repository: Repository
    owner: str
    hospital: str
    post: Post
    push_to: str | None = None
    token: str | None = None
    delay_seconds: float = 2.0
    poll_seconds: float = 0.5
    seed: int = 0
    base: str = "http://localhost/fhir"
    examined: int = 0

    def run(self, stop: Event) -> None:
        """Examine until told to stop. What could not be pushed is tried again at the next round."""
        while not stop.wait(self.poll_seconds):
            try:
                self.run_once(datetime.now(UTC), stop)
            except Exception as error:  # noqa: BLE001 - a rehearsal's doctor comes back after any fault
                _log.warning("doctor.failed", error=type(error).__name__)

    def run_once(self, now: datetime, stop: Event | None = None) -> int:
        """Examine all that wait; returns how many were finished."""
        done = 0
        for request in self._waiting(now):
            if stop is not None and stop.is_set():
                break
            if not self._finish(request, now):
                break
            done += 1
        self.examined += done
        return done

    def _waiting(self, now: datetime) -> Iterator[Resource]:
        """Active ServiceRequests that came `delay_seconds` seconds ago or earlier, oldest first."""
        query = SearchQuery("ServiceRequest", sort=(SortKey("_lastUpdated"),))
        latest = int((now.timestamp() - self.delay_seconds) * 1000)
        while True:
            page = self.repository.search(self.owner, query)
            for row in page.rows:
                if row.updated > latest:
                    return
                request = loads(row.body)
                if request.get("status") == "active":
                    yield request
            if not page.more:
                return
            query = replace(query, after=(page.rows[-1].updated, page.rows[-1].id))

    def _finish(self, request: Resource, now: datetime) -> bool:
        """Examine, keep the results here, push them, and only then close the referral."""
        moment = _moment_of(request, now)
        results = examine_referral(request, hospital=self.hospital, seed=self.seed, now=moment)
        bundle = result_bundle(results)
        self.repository.bundle(self.owner, bundle, base=self.base)
        if self.push_to is not None and not self._push(dumps(bundle)):
            return False
        try:
            version = int(request["meta"]["versionId"])
            self.repository.update(self.owner, {**request, "status": "completed"}, if_match=version)
        except FhirError:
            return True  # it was changed meanwhile; the next round sees the new version
        return True

    def _push(self, body: bytes) -> bool:
        status, answer = self.post(str(self.push_to), body, self.token, 30.0)
        if status == 200:
            return True
        _log.warning("doctor.not_acknowledged", status=status, bytes=len(answer))
        return False


def _moment_of(request: Resource, now: datetime) -> datetime:
    """When the results are dated: when the referral came, so that they are the same at each attempt."""
    try:
        return datetime.fromisoformat(request["meta"]["lastUpdated"])
    except (KeyError, TypeError, ValueError):
        return now
