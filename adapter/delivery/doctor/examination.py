"""One examination of a hospital's server, from the first request to the last test resource removed."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from adapter.delivery.doctor import bundle_probes, cleanup, evaluation, request_probes
from adapter.delivery.doctor.evaluation import CardFacts
from adapter.delivery.doctor.session import ExaminationStopped, Inconclusive, ProbeSession, identifier_query
from adapter.delivery.http.client import HospitalClient, NoResponse
from adapter.ledger.server_cards.card import ServerCard
from adapter.ledger.server_cards.identity import self_description

__all__ = ["ExaminationResult", "ProbeLimits", "examine_server"]

_TRIES = 3
_PAUSE = 0.5  # seconds before a probe is tried again
_WRONG_TOKEN = "this-token-is-wrong-on-purpose"  # noqa: S105 - that is the point
_NEVER = f"Patient?{identifier_query('urn:adapter:doctor', 'never')}"
_PASSING = frozenset({"busy", "timeout", "dropped", "unreachable"})


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """How far limits are looked for: no further than what would be sent."""

    max_entries: int
    max_bytes: int


@dataclass(frozen=True)
class ExaminationResult:
    """What an examination found. `trouble`: why the server could not be examined at all (unreachable,
    tls, auth, busy, not-fhir, …); then the card is empty. `says_it_is`: its words of itself. `notes`: probe
    -> why it measured nothing. `left`: test resources that could not be removed, as "Patient/1"; `removed`:
    how many an earlier examination had left.
    """

    card: ServerCard
    trouble: str | None = None
    says_it_is: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    removed: int = 0
    wrote: bool = False
    stopped: bool = False
    requests: int = 0
    seconds: float = 0.0


ProbeProgress = Callable[[int, int], None]  # done, of how many


class _Examination:
    def __init__(self, bench: ProbeSession, on_progress: ProbeProgress) -> None:
        self.bench = bench
        self.facts: CardFacts = {}
        self.notes: dict[str, str] = {}
        self._on_progress = on_progress
        self._done = 0

    def run(self, listed: Mapping[str, Callable[[ProbeSession], CardFacts]], total: int) -> None:
        for name, probe in listed.items():
            self._one(name, probe)
            self._done += 1
            self._on_progress(self._done, total)

    def _one(self, name: str, probe: Callable[[ProbeSession], CardFacts]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                found = probe(self.bench)
            except Inconclusive as unclear:
                if left and unclear.why in _PASSING:
                    self.bench.sleep(_PAUSE)
                    continue
                self.notes[name] = unclear.why
                return
            for fact, value in found.items():
                known = self.facts.get(fact)
                bools = isinstance(value, bool) and isinstance(known, bool)
                self.facts[fact] = (value and known) if bools else known if value is None else value
            return


def examine_server(
    client: HospitalClient,
    *,
    system: str,
    limits: ProbeLimits,
    writes: bool,
    stop: threading.Event,
    with_token: Callable[[str], HospitalClient] | None,
    types: Sequence[str] = (),
    on_progress: ProbeProgress = lambda _done, _total: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> ExaminationResult:
    """Measure a hospital's server. `system` names the test resources' identifiers; `with_token` makes a
    client with another token (None: the server wants none); `types`: resource types that are sent there.
    Without `writes` nothing is written.
    """
    started = time.monotonic()
    trouble, first, words = _reach(client, clock)
    if trouble is None and with_token is not None:
        first["guarded"] = _guarded(with_token)
    bench = ProbeSession(client, system, stop, sleep=sleep)
    examination = _Examination(bench, on_progress)
    found = ExaminationResult(ServerCard(), trouble)
    if trouble is None:
        examination.facts |= first
        found = _measured(examination, limits, types, writes=writes)
    if bench.asked_to_wait:
        examination.facts["retry_after"] = " ".join(sorted(bench.asked_to_wait))
    return replace(
        found,
        card=ServerCard.from_json(examination.facts) if trouble is None else ServerCard(),
        says_it_is=words,
        notes=dict(examination.notes),
        requests=client.requests + (with_token is not None and trouble is None),
        seconds=time.monotonic() - started,
    )


def _reach(client: HospitalClient, clock: Callable[[], datetime]) -> tuple[str | None, CardFacts, str | None]:
    """(why it cannot be examined, or None; what its CapabilityStatement and headers say; what it says it is).
    A server without a CapabilityStatement is measured all the same, if it answers a search.
    """
    asked = clock()
    reply = client.get("metadata")
    answered = clock()
    if isinstance(reply, NoResponse):
        return reply.why, {}, None
    facts, says = evaluation.capability_facts(reply.body)
    ends = client.tls_until
    facts |= {"says": says, "clock_skew": evaluation.clock_skew(reply.headers, asked, answered)}
    facts["tls_until"] = ends.isoformat() if ends else None
    is_told = isinstance(reply.body, dict) and reply.body.get("resourceType") == "CapabilityStatement"
    why = evaluation.why_not_measurable(client.get(_NEVER), is_told=is_told)
    return why, facts, self_description(reply.body)


def _guarded(with_token: Callable[[str], HospitalClient]) -> bool | None:
    """Whether a wrong token is refused."""
    with with_token(_WRONG_TOKEN) as stranger:
        reply = stranger.get(_NEVER)
    if isinstance(reply, NoResponse) or reply.status in (408, 429) or reply.status >= 500:
        return None
    return reply.status in (401, 403)


def _measured(
    examination: _Examination, limits: ProbeLimits, types: Sequence[str], *, writes: bool
) -> ExaminationResult:
    bench = examination.bench
    stopped, removed, left = False, 0, []
    later = _after_removal(limits)
    reading = {
        "never_used": request_probes.unused_identifier,
        "missing_types": lambda bench: request_probes.missing_types(bench, types),
    }
    total = len(reading) + (1 + len(later) if writes else 0)
    try:
        examination.run(reading, total)
        if writes:
            removed = cleanup.remove_leftovers(bench)
            examination.run({"removable": request_probes.removable}, total)
            if examination.facts.get("deletes"):
                examination.run(later, total)
    except ExaminationStopped:
        stopped = True
    finally:
        if writes:
            bench.stop = threading.Event()  # told to stop or not, what was written goes
            left = cleanup.remove_created(bench)
    return ExaminationResult(
        ServerCard(), left=tuple(left), removed=removed, wrote=bool(bench.ids), stopped=stopped
    )


def _after_removal(limits: ProbeLimits) -> dict[str, Callable[[ProbeSession], CardFacts]]:
    """The probes that need writing, in order, once it is proved that all can be removed."""
    return {
        "search": request_probes.identifier_search,
        "containers": bundle_probes.bundle_types,
        "conditional_create": request_probes.conditional_create,
        "conditional_update": request_probes.conditional_update,
        "several_matches": request_probes.several_matches,
        "etags": request_probes.stale_etags,
        "deleted_ids": request_probes.deleted_ids,
        "client_ids": request_probes.client_ids,
        "gzip_requests": request_probes.gzip_requests,
        "conditions": bundle_probes.conditional_entries,
        "references": bundle_probes.entry_references,
        "bundle_etags": bundle_probes.stale_entry_etags,
        "atomic": _only_transactions(bundle_probes.atomicity),
        "max_entries": lambda bench: bundle_probes.max_entries(bench, limits.max_entries),
        "max_bytes": lambda bench: bundle_probes.max_bytes(bench, limits.max_bytes, limits.max_entries),
        "paging": request_probes.paging,
        "max_single_bytes": lambda bench: request_probes.max_single_bytes(bench, limits.max_bytes),
    }


def _only_transactions(probe: Callable[[ProbeSession], CardFacts]) -> Callable[[ProbeSession], CardFacts]:
    def only(bench: ProbeSession) -> CardFacts:
        if bench.bundle_type != "transaction":
            raise Inconclusive("no-transactions")
        return probe(bench)

    return only
