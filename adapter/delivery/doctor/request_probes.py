"""The probes of single requests: each asks a few things and hands the answers to `evaluation`.

A probe raises `Inconclusive` when no answer came from which anything can be judged; it is tried again with
new test resources.
"""

from collections.abc import Sequence

from adapter.delivery.doctor import evaluation
from adapter.delivery.doctor.evaluation import CardFacts
from adapter.delivery.doctor.session import Inconclusive, ProbeSession, padded, written_id
from adapter.delivery.http.client import HttpResponse
from adapter.fhir.bundle import search_url
from adapter.fhir.codec import Resource

__all__ = [
    "client_ids",
    "conditional_create",
    "conditional_update",
    "deleted_ids",
    "gzip_requests",
    "identifier_search",
    "max_single_bytes",
    "missing_types",
    "paging",
    "removable",
    "several_matches",
    "stale_etags",
    "unused_identifier",
]

_LAGS = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds between looks for what was written
_PAGE = 5
_NOT_SERVED = (400, 404, 405, 410, 501)
_FEWEST_BYTES = 50_000
_TOO_LONG = ("timeout", "dropped")  # what some servers say of a body that is too large
_COMPRESSED = {"Content-Encoding": "gzip"}


def unused_identifier(bench: ProbeSession) -> CardFacts:
    """A search for what never was finds nothing. Needs no writing; silence proves nothing more."""
    ignored = bool(bench.search_unfiltered(bench.value()))
    bench.search_trusted = not ignored
    return {"search_by_identifier": False} if ignored else {}


def missing_types(bench: ProbeSession, types: Sequence[str]) -> CardFacts:
    """Which of these types it does not serve, by a search for what never was. Needs no writing."""
    missing = []
    for kind in types:
        answer = bench.request("GET", search_url(kind, bench.system, [bench.value()]))
        if answer.status in _NOT_SERVED:
            missing.append(kind)
        elif answer.status != 200:
            raise Inconclusive(f"{kind}: HTTP {answer.status}")
    return {"missing_types": ", ".join(missing) or "none"}


def removable(bench: ProbeSession) -> CardFacts:
    """One Patient and one Observation about it are created and deleted: before that, nothing else."""
    patient = bench.request("POST", "Patient", bench.patient(bench.value()))
    if not evaluation.succeeded(patient.status):
        raise Inconclusive(_refusal("Patient", patient))
    about = f"Patient/{written_id(patient)}"
    observation = bench.request("POST", "Observation", bench.observation(bench.value(), about))
    facts = _removed(bench, "Observation", observation) if evaluation.succeeded(observation.status) else {}
    facts = {**_removed(bench, "Patient", patient), **{k: v for k, v in facts.items() if v is False}}
    if not evaluation.succeeded(observation.status):
        raise Inconclusive(_refusal("Observation", observation))
    return facts


def _removed(bench: ProbeSession, kind: str, created: HttpResponse) -> CardFacts:
    made = written_id(created)
    read = bench.read(kind, made)
    deleted = bench.request("DELETE", f"{kind}/{made}")
    return evaluation.removal_facts(created, read, deleted, bench.read(kind, made))


def _refusal(kind: str, answer: HttpResponse) -> str:
    from adapter.fhir.operation_outcome import parse_issues

    said = "; ".join(one.text for one in parse_issues(answer.body) if one.is_error)
    return f"{kind}: HTTP {answer.status} {said}".strip()[:300]


def identifier_search(bench: ProbeSession) -> CardFacts:
    """Finds at once what was written, nothing else, and several together."""
    value, other, never = bench.value(), bench.value(), bench.value()
    before = bench.search_unfiltered(value)
    bench.make(value)
    at_once = bench.search_unfiltered(value)
    later, lag = at_once, 0.0
    for wait in _LAGS:
        if later:
            break
        bench.sleep(wait)
        lag += wait
        later = bench.search_unfiltered(value)
    facts = evaluation.search_facts(
        bench.system, value, never=[*before, *bench.search_unfiltered(never)], at_once=at_once, later=later
    )
    bench.search_trusted, bench.search_lag = bool(facts["search_by_identifier"]), lag
    if bench.search_trusted:
        bench.make(other)
        if bench.search_lag:
            bench.sleep(bench.search_lag)
        together = bench.search_unfiltered(value, never, other)
        facts["search_several"] = evaluation.each_found_once(bench.system, (value, other), together)
    return facts


def conditional_create(bench: ProbeSession) -> CardFacts:
    """The same If-None-Exist twice."""
    value = bench.value()
    header = {"If-None-Exist": bench.query(value)}
    answers = [bench.request("POST", "Patient", bench.patient(value), header) for _ in range(2)]
    return {"conditional_create": evaluation.created_once(answers, bench.find(value))}


def conditional_update(bench: ProbeSession) -> CardFacts:
    """PUT to one identifier twice, with other content the second time."""
    value = bench.value()
    url = f"Patient?{bench.query(value)}"
    answers = [bench.request("PUT", url, bench.patient(value, note)) for note in ("a", "b")]
    bench.updates_by_condition = evaluation.updated_once(answers, bench.find(value), "b")
    return {"conditional_update": bench.updates_by_condition}


def several_matches(bench: ProbeSession) -> CardFacts:
    """PUT to an identifier that two Patients have; what is said where there is no such PUT is no answer."""
    if not bench.updates_by_condition:
        raise Inconclusive("no-conditional-update")
    value = create_duplicates(bench)
    answer = bench.request("PUT", f"Patient?{bench.query(value)}", bench.patient(value, "b"))
    return {"several_matches": answer.status}


def create_duplicates(bench: ProbeSession) -> str:
    """An identifier that two Patients have. Raises Unclear where the server does not let that be."""
    value = bench.value()
    bench.make(value)
    bench.make(value)
    if len(bench.find(value)) != 2:
        raise Inconclusive("no-two")
    return value


def _put(bench: ProbeSession, id_: str, resource: Resource, if_match: str | None = None) -> HttpResponse:
    headers = {"If-Match": if_match} if if_match else None
    return bench.request("PUT", f"Patient/{id_}", {**resource, "id": id_}, headers)


def stale_etags(bench: ProbeSession) -> CardFacts:
    """If-Match with a stale ETag and with `*`, and an identical update."""
    value = bench.value()
    created = bench.make(value, "a")
    made, first = written_id(created), evaluation.response_etag(created)
    if made is None:
        raise Inconclusive("no-id")
    changed = _put(bench, made, bench.patient(value, "b"), first)
    facts: CardFacts = {}
    if first is None or not evaluation.succeeded(changed.status):
        facts["if_match"] = False
    else:
        stale = _put(bench, made, bench.patient(value, "c"), first)
        facts["if_match"] = evaluation.stale_write_refused(stale, bench.read("Patient", made), "b")
        facts["if_match_status"] = stale.status if facts["if_match"] else None
    star = _put(bench, made, bench.patient(value, "d"), "*")
    facts["if_match_star"] = evaluation.succeeded(star.status)
    once = _put(bench, made, bench.patient(value, "e"))
    again = _put(bench, made, bench.patient(value, "e"))
    if evaluation.succeeded(once.status) and evaluation.succeeded(again.status):
        facts["same_is_no_version"] = evaluation.same_version(once, again)
    return facts


def deleted_ids(bench: ProbeSession) -> CardFacts:
    """PUT to an id that was deleted."""
    value = bench.value()
    made = written_id(bench.make(value))
    deleted = bench.request("DELETE", f"Patient/{made}")
    if made is None or not evaluation.succeeded(deleted.status):
        raise Inconclusive("not-deleted")
    revived = _put(bench, made, bench.patient(value, "b"))
    return {
        "revives_deleted": evaluation.succeeded(revived.status) and bench.read("Patient", made).status == 200
    }


def client_ids(bench: ProbeSession) -> CardFacts:
    """PUT to an id that never was."""
    value = bench.value()
    put = _put(bench, value, bench.patient(value))
    return {"client_ids": evaluation.succeeded(put.status) and bench.read("Patient", value).status == 200}


def gzip_requests(bench: ProbeSession) -> CardFacts:
    """A compressed body."""
    import gzip

    from adapter.fhir.codec import dumps

    value = bench.value()
    answer = bench.request("POST", "Patient", gzip.compress(dumps(bench.patient(value))), _COMPRESSED)
    return {"gzip_requests": evaluation.succeeded(answer.status) and len(bench.find(value)) == 1}


def max_single_bytes(bench: ProbeSession, most: int) -> CardFacts:
    """How large a resource is taken that is written by itself, created and updated: at most as large as the
    settings would send, else half of it, and so on.
    """
    size = most
    while size >= _FEWEST_BYTES:
        try:
            if _takes(bench, size):
                return {"max_single_bytes": size}
        except Inconclusive as unclear:
            if unclear.why not in _TOO_LONG:
                raise
        size //= 2
    return {"max_single_bytes": None}


def _takes(bench: ProbeSession, size: int) -> bool:
    patient = padded(bench.patient(bench.value()), size)
    created = bench.request("POST", "Patient", patient)
    made = written_id(created)
    return (
        evaluation.succeeded(created.status)
        and made is not None
        and evaluation.succeeded(_put(bench, made, patient).status)
    )


def paging(bench: ProbeSession) -> CardFacts:
    """A search for many, five a page, followed to its end."""
    values = bench.patient_identifiers[:20]
    while len(values) <= _PAGE:
        values.append(bench.value())
        bench.make(values[-1])
    bench.find(values[0])  # waits for the search where it is late
    found = []
    for page in bench.client.pages(
        f"Patient?{bench.query(*values)}&_count={_PAGE}", max_pages=2 * len(values)
    ):
        if not isinstance(page, HttpResponse) or not isinstance(page.body, list):
            return {"paging": False}
        found.append(page.body)
    return {"paging": evaluation.pages_complete(bench.system, values, found)}
