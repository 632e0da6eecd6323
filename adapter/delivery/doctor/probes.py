"""The probes of single requests: each asks a few things and hands the answers to `judge`.

A probe raises `Unclear` when no answer came from which anything can be judged; it is tried again with
new test resources.
"""

from adapter.delivery.client import Answer
from adapter.delivery.doctor import judge
from adapter.delivery.doctor.bench import Bench, Unclear, id_of
from adapter.delivery.doctor.judge import Facts
from adapter.fhir.codec import Resource

__all__ = [
    "client_ids",
    "conditional_create",
    "conditional_update",
    "deleted_ids",
    "etags",
    "gzip_requests",
    "never_used",
    "paging",
    "removable",
    "search",
    "several_matches",
]

_LAGS = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds between looks for what was written
_PAGE = 5
_COMPRESSED = {"Content-Encoding": "gzip"}


def never_used(bench: Bench) -> Facts:
    """A search for what never was finds nothing. Needs no writing; silence proves nothing more."""
    ignored = bool(bench.matches(bench.value()))
    bench.trusted = not ignored
    return {"search_by_identifier": False} if ignored else {}


def removable(bench: Bench) -> Facts:
    """One Patient and one Observation about it are created and deleted: before that, nothing else."""
    patient = bench.ask("POST", "Patient", bench.patient(bench.value()))
    if not judge.succeeded(patient.status):
        raise Unclear(_refusal("Patient", patient))
    about = f"Patient/{id_of(patient)}"
    observation = bench.ask("POST", "Observation", bench.observation(bench.value(), about))
    facts = _removed(bench, "Observation", observation) if judge.succeeded(observation.status) else {}
    facts = {**_removed(bench, "Patient", patient), **{k: v for k, v in facts.items() if v is False}}
    if not judge.succeeded(observation.status):
        raise Unclear(_refusal("Observation", observation))
    return facts


def _removed(bench: Bench, kind: str, created: Answer) -> Facts:
    made = id_of(created)
    read = bench.read(kind, made)
    deleted = bench.ask("DELETE", f"{kind}/{made}")
    return judge.removal(created, read, deleted, bench.read(kind, made))


def _refusal(kind: str, answer: Answer) -> str:
    from adapter.fhir.outcome import issues_of

    said = "; ".join(one.text for one in issues_of(answer.body) if one.is_error)
    return f"{kind}: HTTP {answer.status} {said}".strip()[:300]


def search(bench: Bench) -> Facts:
    """Finds at once what was written, nothing else, and several together."""
    value, other, never = bench.value(), bench.value(), bench.value()
    before = bench.matches(value)
    bench.make(value)
    at_once = bench.matches(value)
    later, lag = at_once, 0.0
    for wait in _LAGS:
        if later:
            break
        bench.sleep(wait)
        lag += wait
        later = bench.matches(value)
    facts = judge.search(
        bench.system, value, never=[*before, *bench.matches(never)], at_once=at_once, later=later
    )
    bench.trusted, bench.lag = bool(facts["search_by_identifier"]), lag
    if bench.trusted:
        bench.make(other)
        if bench.lag:
            bench.sleep(bench.lag)
        together = bench.matches(value, never, other)
        facts["search_several"] = judge.several(bench.system, (value, other), together)
    return facts


def conditional_create(bench: Bench) -> Facts:
    """The same If-None-Exist twice."""
    value = bench.value()
    header = {"If-None-Exist": bench.query(value)}
    answers = [bench.ask("POST", "Patient", bench.patient(value), header) for _ in range(2)]
    return {"conditional_create": judge.created_once(answers, bench.find(value))}


def conditional_update(bench: Bench) -> Facts:
    """PUT to one identifier twice, with other content the second time."""
    value = bench.value()
    url = f"Patient?{bench.query(value)}"
    answers = [bench.ask("PUT", url, bench.patient(value, note)) for note in ("a", "b")]
    return {"conditional_update": judge.updated_once(answers, bench.find(value), "b")}


def several_matches(bench: Bench) -> Facts:
    """PUT to an identifier that two Patients have."""
    value = doubled(bench)
    answer = bench.ask("PUT", f"Patient?{bench.query(value)}", bench.patient(value, "b"))
    return {"several_matches": answer.status}


def doubled(bench: Bench) -> str:
    """An identifier that two Patients have. Raises Unclear where the server does not let that be."""
    value = bench.value()
    bench.make(value)
    bench.make(value)
    if len(bench.find(value)) != 2:
        raise Unclear("no-two")
    return value


def _put(bench: Bench, id_: str, resource: Resource, if_match: str | None = None) -> Answer:
    headers = {"If-Match": if_match} if if_match else None
    return bench.ask("PUT", f"Patient/{id_}", {**resource, "id": id_}, headers)


def etags(bench: Bench) -> Facts:
    """If-Match with a stale ETag and with `*`, and an identical update."""
    value = bench.value()
    created = bench.make(value, "a")
    made, first = id_of(created), judge.etag(created)
    if made is None:
        raise Unclear("no-id")
    changed = _put(bench, made, bench.patient(value, "b"), first)
    facts: Facts = {}
    if first is None or not judge.succeeded(changed.status):
        facts["if_match"] = False
    else:
        stale = _put(bench, made, bench.patient(value, "c"), first)
        facts["if_match"] = judge.kept_by_etag(stale, bench.read("Patient", made), "b")
        facts["if_match_status"] = stale.status if facts["if_match"] else None
    star = _put(bench, made, bench.patient(value, "d"), "*")
    facts["if_match_star"] = judge.succeeded(star.status)
    once = _put(bench, made, bench.patient(value, "e"))
    again = _put(bench, made, bench.patient(value, "e"))
    if judge.succeeded(once.status) and judge.succeeded(again.status):
        facts["same_is_no_version"] = judge.same_version(once, again)
    return facts


def deleted_ids(bench: Bench) -> Facts:
    """PUT to an id that was deleted."""
    value = bench.value()
    made = id_of(bench.make(value))
    deleted = bench.ask("DELETE", f"Patient/{made}")
    if made is None or not judge.succeeded(deleted.status):
        raise Unclear("not-deleted")
    revived = _put(bench, made, bench.patient(value, "b"))
    return {"revives_deleted": judge.succeeded(revived.status) and bench.read("Patient", made).status == 200}


def client_ids(bench: Bench) -> Facts:
    """PUT to an id that never was."""
    value = bench.value()
    put = _put(bench, value, bench.patient(value))
    return {"client_ids": judge.succeeded(put.status) and bench.read("Patient", value).status == 200}


def gzip_requests(bench: Bench) -> Facts:
    """A compressed body."""
    import gzip

    from adapter.fhir.codec import dumps

    value = bench.value()
    answer = bench.ask("POST", "Patient", gzip.compress(dumps(bench.patient(value))), _COMPRESSED)
    return {"gzip_requests": judge.succeeded(answer.status) and len(bench.find(value)) == 1}


def paging(bench: Bench) -> Facts:
    """A search for many, five a page, followed to its end."""
    values = bench.crowd[:20]
    while len(values) <= _PAGE:
        values.append(bench.value())
        bench.make(values[-1])
    bench.find(values[0])  # waits for the search where it is late
    found = []
    for page in bench.client.pages(
        f"Patient?{bench.query(*values)}&_count={_PAGE}", max_pages=2 * len(values)
    ):
        if not isinstance(page, Answer) or not isinstance(page.body, list):
            return {"paging": False}
        found.append(page.body)
    return {"paging": judge.pages(bench.system, values, found)}
