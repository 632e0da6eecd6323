"""The probes of Bundles, single questions first, so that a refusal can be told apart."""

import time
from collections.abc import Callable

from adapter.delivery.client import Answer
from adapter.delivery.doctor import judge
from adapter.delivery.doctor.bench import Bench, Unclear, carries, entry, id_of
from adapter.delivery.doctor.judge import Facts
from adapter.delivery.doctor.probes import doubled
from adapter.fhir.bundle import full_url

__all__ = ["atomic", "conditions", "containers", "etags", "max_bytes", "max_entries", "references"]

_FEWEST_BYTES = 50_000
_PADDED = 10  # entries of a Bundle that is large in bytes


def containers(bench: Bench) -> Facts:
    """Whether transactions and batches are taken at all."""
    facts = {kind: _taken(bench, kind) for kind in ("batch", "transaction")}
    bench.container = next((kind for kind in ("transaction", "batch") if facts[kind]), None)
    return dict(facts)


def _taken(bench: Bench, kind: str) -> bool:
    values = [bench.value(), bench.value()]
    answer = bench.bundle(kind, [entry("POST", "Patient", bench.patient(value)) for value in values])
    if not judge.succeeded(answer.status):
        return False
    return len(bench.find(*values)) == len(values)


def _container(bench: Bench) -> str:
    if bench.container is None:
        raise Unclear("no-bundles")
    return bench.container


def conditions(bench: Bench) -> Facts:
    """Conditional writes as entries: the condition percent-encoded, as in all that is sent."""
    kind = _container(bench)
    value, other = bench.value(), bench.value()
    url = f"Patient?{bench.query(value)}"
    puts = [bench.bundle(kind, [entry("PUT", url, bench.patient(value, note))]) for note in ("a", "b")]
    posts = [
        bench.bundle(kind, [entry("POST", "Patient", bench.patient(other), ifNoneExist=bench.query(other))])
        for _ in range(2)
    ]
    updated, created = [_only(one) for one in puts], [_only(one) for one in posts]
    by_put, by_post = bench.find(value), bench.find(other)
    facts: Facts = {
        "conditional_update": judge.updated_once(updated, by_put, "b"),
        "conditional_create": judge.created_once(created, by_post),
    }
    if facts["conditional_update"]:
        return {**facts, "encoded_urls": True}
    return {**facts, "encoded_urls": False if _raw_works(bench, kind) else None}


def _only(answer: Answer) -> Answer:
    """The answer to the only entry of a Bundle, or to the Bundle where that was refused."""
    said = judge.entries_of(["Patient"], answer)
    return Answer(said[0].status) if said else Answer(answer.status if answer.status >= 400 else 500)


def _raw_works(bench: Bench, kind: str) -> bool:
    value = bench.value()
    url = f"Patient?identifier={bench.system}|{value}"
    answers = [_only(bench.bundle(kind, [entry("PUT", url, bench.patient(value, n))])) for n in ("a", "b")]
    return judge.updated_once(answers, bench.find(value), "b")


def references(bench: Bench) -> Facts:
    """References between entries by urn:uuid, by condition to what is there, and the answers' order."""
    values = [bench.value() for _ in range(3)]
    urn = full_url(values[0])
    kinds = ("Patient", "Observation", "Patient")
    answer = bench.bundle(
        _container(bench),
        [
            entry("POST", "Patient", bench.patient(values[0]), full_url=urn),
            entry("POST", "Observation", bench.observation(values[1], urn), full_url=full_url(values[1])),
            entry("POST", "Patient", bench.patient(values[2]), full_url=full_url(values[2])),
        ],
    )
    said = judge.entries_of(kinds, answer)
    facts: Facts = {"urn_references": False}
    if judge.taken(kinds, answer):
        facts["urn_references"] = _subject(bench, values[1]) == _place(bench, values[0])
    if judge.succeeded(answer.status):
        facts["paired"] = said is not None and len(said) == len(kinds)
        facts["names_ids"] = said is not None and all(one.remote_id for one in said)
    return {**facts, "conditional_reference": _conditional_reference(bench)}


def _conditional_reference(bench: Bench) -> bool:
    patient, observation = bench.value(), bench.value()
    bench.make(patient)
    bench.find(patient)
    subject = f"Patient?{bench.query(patient)}"
    answer = bench.bundle(
        _container(bench), [entry("POST", "Observation", bench.observation(observation, subject))]
    )
    if not judge.taken(["Observation"], answer):
        return False
    return _subject(bench, observation) == _place(bench, patient)


def _place(bench: Bench, value: str) -> str | None:
    there = bench.find(value)
    return f"Patient/{there[0].get('id')}" if len(there) == 1 else None


def _subject(bench: Bench, value: str) -> str:
    """`Type/id` that the Observation is about, as the server keeps it."""
    there = bench.find(value, kind="Observation")
    reference = str((there[0].get("subject") or {}).get("reference")) if len(there) == 1 else ""
    return "/".join(reference.partition("/_history/")[0].rsplit("/", 2)[-2:])


def etags(bench: Bench) -> Facts:
    """A stale ETag in an entry."""
    value = bench.value()
    made, first = _outdated(bench, value)
    if made is None or first is None:
        return {"bundle_if_match": False}
    stale = entry("PUT", f"Patient/{made}", {**bench.patient(value, "c"), "id": made}, ifMatch=first)
    answer = _only(bench.bundle(_container(bench), [stale]))
    return {"bundle_if_match": judge.kept_by_etag(answer, bench.read("Patient", made), "b")}


def _outdated(bench: Bench, value: str) -> tuple[str | None, str | None]:
    """The id of a Patient that was changed since (its content is "b"), and its ETag before."""
    created = bench.make(value, "a")
    made = id_of(created)
    bench.ask("PUT", f"Patient/{made}", {**bench.patient(value, "b"), "id": made})
    return made, judge.etag(created)


def atomic(bench: Bench) -> Facts:
    """Transactions of a good and a bad entry: the good one must not be there. Several kinds of bad, as a
    server may see some before it begins to write.
    """
    found = []
    for bad in (_doubled, _stale, _dangling):
        good = bench.value()
        try:
            entries = [entry("PUT", f"Patient?{bench.query(good)}", bench.patient(good)), bad(bench)]
        except Unclear as unclear:
            if unclear.why not in ("no-two", "no-bad"):
                raise
            continue
        answer = bench.bundle("transaction", entries)
        found.append(judge.atomic(answer, good_is_there=bool(bench.find(good))))
    return {"atomic": judge.both(*found)}


def _doubled(bench: Bench) -> dict[str, object]:
    value = doubled(bench)
    return entry("PUT", f"Patient?{bench.query(value)}", bench.patient(value, "b"))


def _stale(bench: Bench) -> dict[str, object]:
    value = bench.value()
    made, first = _outdated(bench, value)
    if made is None or first is None:
        raise Unclear("no-bad")
    return entry("PUT", f"Patient/{made}", {**bench.patient(value, "c"), "id": made}, ifMatch=first)


def _dangling(bench: Bench) -> dict[str, object]:
    return entry("POST", "Observation", bench.observation(bench.value(), f"Patient/{bench.value()}"))


def max_entries(bench: Bench, most: int) -> Facts:
    """How many entries of one Bundle are taken, at most as many as the settings would send."""

    def one(count: int) -> Answer:
        bench.crowd = [bench.value() for _ in range(count)]
        urls = [f"Patient?{bench.query(value)}" for value in bench.crowd]
        puts = zip(urls, bench.crowd, strict=True)
        entries = [entry("PUT", url, bench.patient(value)) for url, value in puts]
        began = time.monotonic()
        answer = bench.bundle(_container(bench), entries)
        took[count] = time.monotonic() - began
        return answer

    took: dict[int, float] = {}

    count, answer = _largest(one, most, lambda size: ["Patient"] * size)
    if answer is None:
        bench.crowd = []
        return {"max_entries": 1}
    facts: Facts = {"max_entries": count, "seconds_an_entry": round(took[count] / count, 5)}
    some = bench.crowd[:20]
    places = {v: str(r.get("id")) for r in bench.find(*some) for v in some if carries(r, bench.system, v)}
    said = judge.entries_of(["Patient"] * count, answer) or ()
    told = {value: one.remote_id for value, one in zip(bench.crowd, said, strict=False) if value in places}
    if any(id_ and id_ != places[value] for value, id_ in told.items()):
        facts["paired"] = False  # the answers are in another order
    return facts


def max_bytes(bench: Bench, most: int, entries: int) -> Facts:
    """How large a Bundle is taken, at most as large as the settings would send."""

    def one(size: int) -> Answer:
        padding = "x" * max(1, size // count - 700)
        text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{padding}</div>'}
        puts = [{**bench.patient(bench.value()), "text": text} for _ in range(count)]
        return bench.bundle(_container(bench), [entry("POST", "Patient", patient) for patient in puts])

    count = max(1, min(_PADDED, entries))
    size, answer = _largest(one, most, lambda _size: ["Patient"] * count, least=_FEWEST_BYTES)
    return {"max_bytes": size if answer else None}


def _largest(
    send: Callable[[int], Answer], most: int, kinds: Callable[[int], list[str]], *, least: int = 2
) -> tuple[int, Answer | None]:
    """(the largest size that was taken, its answer): `most`, or what halving comes to."""
    size = most
    while size >= least:
        try:
            answer = send(size)
        except Unclear as unclear:
            if unclear.why not in ("timeout", "dropped"):
                raise
        else:
            if judge.taken(kinds(size), answer):
                return size, answer
        size //= 2
    return 0, None
