"""The probes of Bundles, single questions first, so that a refusal can be told apart."""

import time
from collections.abc import Callable

from adapter.delivery.doctor import evaluation
from adapter.delivery.doctor.evaluation import CardFacts
from adapter.delivery.doctor.request_probes import create_duplicates
from adapter.delivery.doctor.session import (
    Inconclusive,
    ProbeSession,
    bundle_entry,
    has_identifier,
    padded,
    written_id,
)
from adapter.delivery.http.client import HttpResponse
from adapter.fhir.bundle import full_url

__all__ = [
    "atomicity",
    "bundle_types",
    "conditional_entries",
    "entry_references",
    "max_bytes",
    "max_entries",
    "stale_entry_etags",
]

_FEWEST_BYTES = 50_000
_PADDED = 10  # entries of a Bundle that is large in bytes


def bundle_types(bench: ProbeSession) -> CardFacts:
    """Whether transactions and batches are taken at all."""
    facts = {kind: _taken(bench, kind) for kind in ("batch", "transaction")}
    bench.bundle_type = next((kind for kind in ("transaction", "batch") if facts[kind]), None)
    return dict(facts)


def _taken(bench: ProbeSession, kind: str) -> bool:
    values = [bench.value(), bench.value()]
    answer = bench.bundle(kind, [bundle_entry("POST", "Patient", bench.patient(value)) for value in values])
    if not evaluation.succeeded(answer.status):
        return False
    return len(bench.find(*values)) == len(values)


def _container(bench: ProbeSession) -> str:
    if bench.bundle_type is None:
        raise Inconclusive("no-bundles")
    return bench.bundle_type


def conditional_entries(bench: ProbeSession) -> CardFacts:
    """Conditional writes as entries: the condition percent-encoded, as in all that is sent."""
    kind = _container(bench)
    value, other = bench.value(), bench.value()
    url = f"Patient?{bench.query(value)}"
    puts = [bench.bundle(kind, [bundle_entry("PUT", url, bench.patient(value, note))]) for note in ("a", "b")]
    posts = [
        bench.bundle(
            kind, [bundle_entry("POST", "Patient", bench.patient(other), ifNoneExist=bench.query(other))]
        )
        for _ in range(2)
    ]
    updated, created = [_only(one) for one in puts], [_only(one) for one in posts]
    by_put, by_post = bench.find(value), bench.find(other)
    facts: CardFacts = {
        "conditional_update": evaluation.updated_once(updated, by_put, "b"),
        "conditional_create": evaluation.created_once(created, by_post),
    }
    bench.entries_by_condition = bool(facts["conditional_update"])
    if facts["conditional_update"]:
        return {**facts, "encoded_urls": True}
    return {**facts, "encoded_urls": False if _raw_works(bench, kind) else None}


def _only(answer: HttpResponse) -> HttpResponse:
    """The answer to the only entry of a Bundle, or to the Bundle where that was refused."""
    said = evaluation.entry_responses(["Patient"], answer)
    return (
        HttpResponse(said[0].status) if said else HttpResponse(answer.status if answer.status >= 400 else 500)
    )


def _raw_works(bench: ProbeSession, kind: str) -> bool:
    value = bench.value()
    url = f"Patient?identifier={bench.system}|{value}"
    answers = [
        _only(bench.bundle(kind, [bundle_entry("PUT", url, bench.patient(value, n))])) for n in ("a", "b")
    ]
    return evaluation.updated_once(answers, bench.find(value), "b")


def entry_references(bench: ProbeSession) -> CardFacts:
    """References between entries by urn:uuid, by condition to what is there, and the answers' order."""
    values = [bench.value() for _ in range(3)]
    urn = full_url(values[0])
    kinds = ("Patient", "Observation", "Patient")
    answer = bench.bundle(
        _container(bench),
        [
            bundle_entry("POST", "Patient", bench.patient(values[0]), full_url=urn),
            bundle_entry(
                "POST", "Observation", bench.observation(values[1], urn), full_url=full_url(values[1])
            ),
            bundle_entry("POST", "Patient", bench.patient(values[2]), full_url=full_url(values[2])),
        ],
    )
    said = evaluation.entry_responses(kinds, answer)
    facts: CardFacts = {"urn_references": False}
    if evaluation.all_entries_succeeded(kinds, answer):
        facts["urn_references"] = _subject(bench, values[1]) == _place(bench, values[0])
    if evaluation.succeeded(answer.status):
        facts["paired"] = said is not None and len(said) == len(kinds)
        facts["names_ids"] = said is not None and all(one.remote_id for one in said)
    return {**facts, "conditional_reference": _conditional_reference(bench)}


def _conditional_reference(bench: ProbeSession) -> bool:
    patient, observation = bench.value(), bench.value()
    bench.make(patient)
    bench.find(patient)
    subject = f"Patient?{bench.query(patient)}"
    answer = bench.bundle(
        _container(bench), [bundle_entry("POST", "Observation", bench.observation(observation, subject))]
    )
    if not evaluation.all_entries_succeeded(["Observation"], answer):
        return False
    return _subject(bench, observation) == _place(bench, patient)


def _place(bench: ProbeSession, value: str) -> str | None:
    there = bench.find(value)
    return f"Patient/{there[0].get('id')}" if len(there) == 1 else None


def _subject(bench: ProbeSession, value: str) -> str:
    """`Type/id` that the Observation is about, as the server keeps it."""
    there = bench.find(value, kind="Observation")
    reference = str((there[0].get("subject") or {}).get("reference")) if len(there) == 1 else ""
    return "/".join(reference.partition("/_history/")[0].rsplit("/", 2)[-2:])


def stale_entry_etags(bench: ProbeSession) -> CardFacts:
    """A stale ETag in an entry."""
    value = bench.value()
    made, first = _outdated(bench, value)
    if made is None or first is None:
        return {"bundle_if_match": False}
    stale = bundle_entry("PUT", f"Patient/{made}", {**bench.patient(value, "c"), "id": made}, ifMatch=first)
    answer = _only(bench.bundle(_container(bench), [stale]))
    return {"bundle_if_match": evaluation.stale_write_refused(answer, bench.read("Patient", made), "b")}


def _outdated(bench: ProbeSession, value: str) -> tuple[str | None, str | None]:
    """The id of a Patient that was changed since (its content is "b"), and its ETag before."""
    created = bench.make(value, "a")
    made = written_id(created)
    bench.request("PUT", f"Patient/{made}", {**bench.patient(value, "b"), "id": made})
    return made, evaluation.response_etag(created)


def atomicity(bench: ProbeSession) -> CardFacts:
    """Transactions of a good and a bad entry: the good one must not be there. Several kinds of bad, as a
    server may see some before it begins to write.
    """
    found = []
    for bad in (_doubled, _stale, _dangling):
        good = bench.value()
        try:
            entries = [_good(bench, good), bad(bench)]
        except Inconclusive as unclear:
            if unclear.why not in ("no-two", "no-bad"):
                raise
            continue
        answer = bench.bundle("transaction", entries)
        found.append(evaluation.is_atomic(answer, good_is_there=bool(bench.find(good))))
    return {"atomic": evaluation.all_measured(*found)}


def _good(bench: ProbeSession, value: str) -> dict[str, object]:
    """An entry that this server surely takes: one that it refuses by itself would prove nothing of others."""
    if bench.entries_by_condition:
        return bundle_entry("PUT", f"Patient?{bench.query(value)}", bench.patient(value))
    return bundle_entry("POST", "Patient", bench.patient(value))


def _doubled(bench: ProbeSession) -> dict[str, object]:
    if not bench.entries_by_condition:
        raise Inconclusive("no-bad")
    value = create_duplicates(bench)
    return bundle_entry("PUT", f"Patient?{bench.query(value)}", bench.patient(value, "b"))


def _stale(bench: ProbeSession) -> dict[str, object]:
    value = bench.value()
    made, first = _outdated(bench, value)
    if made is None or first is None:
        raise Inconclusive("no-bad")
    return bundle_entry("PUT", f"Patient/{made}", {**bench.patient(value, "c"), "id": made}, ifMatch=first)


def _dangling(bench: ProbeSession) -> dict[str, object]:
    return bundle_entry("POST", "Observation", bench.observation(bench.value(), f"Patient/{bench.value()}"))


def max_entries(bench: ProbeSession, most: int) -> CardFacts:
    """How many entries of one Bundle are taken, at most as many as the settings would send."""

    kind = _container(bench)

    def one(count: int) -> HttpResponse:
        bench.patient_identifiers = [bench.value() for _ in range(count)]
        entries = [_good(bench, value) for value in bench.patient_identifiers]
        began = time.monotonic()
        answer = bench.bundle(kind, entries)
        took[count] = time.monotonic() - began
        return answer

    took: dict[int, float] = {}

    count, answer = _largest(one, most, lambda size: ["Patient"] * size)
    if answer is None:
        bench.patient_identifiers = []
        return {"max_entries": 1}
    facts: CardFacts = {"max_entries": count, "seconds_an_entry": round(took[count] / count, 5)}
    some = bench.patient_identifiers[:20]
    places = {
        v: str(r.get("id")) for r in bench.find(*some) for v in some if has_identifier(r, bench.system, v)
    }
    said = evaluation.entry_responses(["Patient"] * count, answer) or ()
    told = {
        value: one.remote_id
        for value, one in zip(bench.patient_identifiers, said, strict=False)
        if value in places
    }
    if any(id_ and id_ != places[value] for value, id_ in told.items()):
        facts["paired"] = False  # the answers are in another order
    return facts


def max_bytes(bench: ProbeSession, most: int, entries: int) -> CardFacts:
    """How large a Bundle is taken, at most as large as the settings would send."""

    def one(size: int) -> HttpResponse:
        patients = [padded(bench.patient(bench.value()), size // count) for _ in range(count)]
        return bench.bundle(_container(bench), [bundle_entry("POST", "Patient", one) for one in patients])

    count = max(1, min(_PADDED, entries))
    size, answer = _largest(one, most, lambda _size: ["Patient"] * count, least=_FEWEST_BYTES)
    return {"max_bytes": size if answer else None}


def _largest(
    send: Callable[[int], HttpResponse], most: int, kinds: Callable[[int], list[str]], *, least: int = 2
) -> tuple[int, HttpResponse | None]:
    """(the largest size that was taken, its answer): `most`, or what halving comes to."""
    size = most
    while size >= least:
        try:
            answer = send(size)
        except Inconclusive as unclear:
            if unclear.why not in ("timeout", "dropped"):
                raise
        else:
            if evaluation.all_entries_succeeded(kinds(size), answer):
                return size, answer
        size //= 2
    return 0, None
