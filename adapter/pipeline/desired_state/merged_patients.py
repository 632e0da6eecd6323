"""The Patient of somebody who was merged into another, where a hospital wants it to stay with a link."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from adapter.fhir import codec
from adapter.fhir.identity import conditional_reference, with_identity
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.pipeline.destination import Destination
from adapter.records.model import Cadre

__all__ = ["merged_patient_links"]

_PATIENT = "Patient"


def merged_patient_links(
    destination: Destination,
    desired: Iterable[DesiredResource],
    losers: Sequence[str],
    entries: Iterable[LedgerEntry],
) -> Iterator[DesiredResource]:
    """An inactive Patient without any detail for each of `losers` that the hospital holds, replaced by the
    survivor's (http://hl7.org/fhir/R4/patient.html#links); none where the survivor's does not go there.
    """
    survivor = next((one for one in desired if (one.type, one.kind) == (_PATIENT, Cadre.kind)), None)
    if survivor is None:
        return
    held = {entry.identity for entry in entries if entry.sent_digest or entry.remote_id}
    other = {"reference": conditional_reference(_PATIENT, destination.system, survivor.identity)}
    body: dict[str, Any] = {"active": False, "link": [{"other": other, "type": "replaced-by"}]}
    if meta := codec.loads(survivor.body).get("meta"):
        body = {"meta": meta, **body}
    for loser in losers:
        identity = destination.identify(_PATIENT, Cadre.kind, loser)
        if identity not in held:
            continue
        made = codec.dumps(with_identity(_PATIENT, destination.system, identity, body))
        yield DesiredResource(
            identity=identity,
            type=_PATIENT,
            rank=survivor.rank,
            kind=Cadre.kind,
            key=loser,
            digest=codec.digest(made),
            body=made,
        )
