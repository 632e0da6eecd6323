"""A record's identity at a hospital: opaque, stable, and different at every hospital.

A keyed hash of hospital, resource type and the record's own key: two hospitals cannot link what
they were sent, and nobody without the key can go back to the record. Conditional writes put it
into URLs and server logs, so nothing national or personal may stand in its place.
"""

from collections.abc import Sequence
from copy import copy
from hashlib import blake2b
from typing import Any, Final

from adapter.fhir.codec import Resource

# ruff: noqa: SIM905 - the lists read better as words than as quoted strings

__all__ = [
    "MIN_KEY_BYTES",
    "SINGLE_IDENTIFIER_TYPES",
    "TYPES_WITHOUT_IDENTIFIER",
    "IdentityFactory",
    "conditional_reference",
    "identity_search_parameter",
    "is_weak_key",
    "with_identity",
]

# Types of R4 that have no element `identifier`: their identity is a tag, which every type has.
TYPES_WITHOUT_IDENTIFIER: Final = frozenset(
    """AuditEvent Binary CapabilityStatement CompartmentDefinition GraphDefinition ImplementationGuide Linkage
    MedicationKnowledge MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductInteraction MedicinalProductManufactured MedicinalProductUndesirableEffect
    MessageHeader NamingSystem OperationDefinition OperationOutcome Parameters Provenance SearchParameter
    Subscription SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation
    SubstanceSourceMaterial TerminologyCapabilities VerificationResult""".split()
)
# Types that have one identifier and no list of them.
SINGLE_IDENTIFIER_TYPES: Final = frozenset(
    """AdverseEvent Bundle Composition ConceptMap MedicinalProductIngredient QuestionnaireResponse
    SpecimenDefinition SubstanceSpecification TestReport TestScript""".split()
)


MIN_KEY_BYTES = 16
_DIFFERENT = 8  # characters at least
_LONGEST_PATTERN = 8
_OF_MANUALS = (
    b"changeme",
    b"change-me",
    b"password",
    b"example",
    b"secret-key",
    b"identity-key",
    b"your-key",
)


def is_weak_key(key: bytes) -> bool:
    """Whether somebody could guess it: of few different characters, the same few again and again, or with a
    word of manuals in it. A key that `adapter init` makes never is.
    """
    repeats = any(key == (key[:length] * len(key))[: len(key)] for length in range(1, _LONGEST_PATTERN + 1))
    return len(set(key)) < _DIFFERENT or repeats or any(word in key.lower() for word in _OF_MANUALS)


class IdentityFactory:
    """Makes identities from the centre's secret key (at least 16 bytes). `formers`, the oldest first, are
    those of the keys before: what was hashed under them, and cannot be made anew, is still known by them.
    """

    def __init__(self, key: bytes, formers: Sequence["IdentityFactory"] = ()) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError("the identity key needs at least 16 bytes")
        self._key = blake2b(key, digest_size=32).digest()
        self.formers = tuple(formers)

    def of(self, hospital: str, resource_type: str, kind: str, key: str) -> str:
        """32 hexadecimal characters for this record's resource at this hospital."""
        message = "\x1f".join((hospital, resource_type, kind, key)).encode()
        return blake2b(message, digest_size=16, key=self._key).hexdigest()

    @property
    def mark(self) -> str:
        """What tells this key from others, and nothing of it."""
        return self.of("", "identity-key", "mark", "")

    def with_formers(self, formers: Sequence["IdentityFactory"]) -> "IdentityFactory":
        """The same, after these."""
        other = copy(self)
        other.formers = tuple(formers)
        return other

    def wrap(self, former: "IdentityFactory", salt: bytes) -> bytes:
        """A former one's key, to be kept beside what is hashed under it: only who has this key can `unwrap`
        it. A pad of one block, from another salt each time.
        """
        return bytes(a ^ b for a, b in zip(former._key, self._pad(salt), strict=True))

    def unwrap(self, wrapped: bytes, salt: bytes) -> "IdentityFactory":
        """The former one; whether it is, its `mark` says."""
        former = copy(self)
        former._key = bytes(a ^ b for a, b in zip(wrapped, self._pad(salt), strict=True))
        former.formers = ()
        return former

    def _pad(self, salt: bytes) -> bytes:
        return blake2b(salt, digest_size=32, key=self._key, person=b"former-key").digest()


def conditional_reference(resource_type: str, system: str, value: str) -> str:
    """A reference by identifier, the form that the ledger keeps: `Patient?identifier=system|value`."""
    return f"{resource_type}?identifier={system}|{value}"


def identity_search_parameter(resource_type: str) -> str:
    """What finds a resource of that type by its identity."""
    return "_tag" if resource_type in TYPES_WITHOUT_IDENTIFIER else "identifier"


# HL7's word for the number of who ordered; the hospital's own beside it is of type FILL.
_PLACER = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
            "code": "PLAC",
            "display": "Placer Identifier",
        }
    ]
}


def with_identity(resource_type: str, system: str, value: str, body: dict[str, Any]) -> Resource:
    """The resource with its identity first, and what `body` has."""
    if resource_type in TYPES_WITHOUT_IDENTIFIER:
        meta = body.get("meta", {})
        meta = {**meta, "tag": [{"system": system, "code": value}, *meta.get("tag", ())]}
        return {"resourceType": resource_type, **body, "meta": meta}
    identity: dict[str, Any] = {"system": system, "value": value}
    if resource_type == "Task":
        identity = {"type": _PLACER, **identity}
    more = body.get("identifier")
    identifier = identity if resource_type in SINGLE_IDENTIFIER_TYPES else [identity, *(more or ())]
    rest = {name: part for name, part in body.items() if name != "identifier"}
    return {"resourceType": resource_type, "identifier": identifier, **rest}
