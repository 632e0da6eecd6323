"""Stale versions, repeats, what only looks like a version of another, and what the centre itself had sent."""

from typing import Any

from results_of_our_own.row import (
    RESULTS,
    Row,
    World,
    amount,
    batch,
    coded,
    corrects,
    ignored,
    of,
    post,
    put,
    result,
    transaction,
    waits,
)

__all__ = ["REPEAT_ROWS"]

LATER = "2026-11-02T16:00:00+07:00"
EARLIER = "2026-11-02T14:00:00+07:00"
SEVEN = amount("7.1", "mmol/L")


def _first(world: World, **content: Any) -> dict[str, Any]:
    return result(world, world.person("AN"), **content)


def _then(world: World, status: str = "corrected", **content: Any) -> dict[str, Any]:
    said = ({} if "valueString" in content else {"valueQuantity": SEVEN}) | {"issued": LATER} | content
    return result(world, world.person("AN"), status=status, **said)


def _url(world: World, resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "id": world.own("o")}


def _there(version: int) -> dict[str, str]:
    return {"versionId": str(version), "lastUpdated": f"2026-11-02T08:00:0{version}.250Z"}


def _unnumbered(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in resource.items() if name != "identifier"}


NOW_SEVEN = {"value": "7.1 mmol/L", "status": "corrected"}

REPEAT_ROWS = (
    # stale
    Row(
        "an older issue after a newer one",
        lambda w: [
            post(_first(w, issued=LATER)),
            corrects(_then(w, "final", issued=EARLIER, valueQuantity=SEVEN)),
        ],
        [of("AN"), ignored("older-issue")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "preliminary after final",
        lambda w: [post(_first(w)), corrects(_then(w, "preliminary"))],
        [of("AN"), ignored("older-status")],
        {"value": "4.1 mmol/L", "status": "final"},
    ),
    Row(
        "final after corrected, without a time",
        lambda w: [
            post(_first(w)),
            corrects(_then(w)),
            corrects(_then(w, "final", issued=None, valueQuantity=amount("5", "mmol/L"))),
        ],
        [of("AN"), of("AN"), ignored("older-status")],
        NOW_SEVEN,
    ),
    Row(
        "preliminary, then final",
        lambda w: [post(_first(w, status="preliminary")), corrects(_then(w, "final"))],
        [of("AN"), of("AN")],
        {"value": "7.1 mmol/L", "status": "final"},
    ),
    # repeats
    Row(
        "the same again",
        lambda w: [post(_first(w)), post(_first(w), status=200)],
        [of("AN")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "the same by PUT under an id of its own",
        lambda w: [post(_first(w)), put(_url(w, _first(w)))],
        [of("AN"), ignored("repeated")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "the first version again, by POST, after its correction",
        lambda w: [post(_first(w)), corrects(_then(w)), post(_first(w), status=200)],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "the first version again, by PUT, after its withdrawal",
        lambda w: [
            put(_url(w, _first(w))),
            put(_url(w, _then(w, "entered-in-error")), status=200),
            put(_url(w, _first(w)), status=200),
        ],
        [of("AN"), of("AN"), ignored("repeated-version")],
        {"status": "entered-in-error"},
    ),
    Row(
        "by PUT from a server with several threads: its version 4, and then its version 3",
        lambda w: [
            put(_url(w, _first(w, meta=_there(1)))),
            put(_url(w, _then(w, "final", meta=_there(4))), status=200),
            put(_url(w, _then(w, "amended", meta=_there(3), valueString="âm tính")), status=200),
        ],
        [of("AN"), of("AN"), ignored("older-version")],
        {"value": "7.1 mmol/L", "status": "final"},
    ),
    Row(
        "without a number, the same twice",
        lambda w: [
            post(_unnumbered(_first(w, valueString=f"một {w.number}"))),
            post(_unnumbered(_first(w, valueString=f"một {w.number}")), status=200),
        ],
        [of("AN")],
    ),
    Row(
        "without a number, two values",
        lambda w: [
            post(_unnumbered(_first(w))),
            post(_unnumbered(_first(w, valueQuantity=amount("4.2", "mmol/L")))),
        ],
        [of("AN"), of("AN")],
        {"value": "4.1 mmol/L"},
    ),
    # not the same result
    Row(
        "the same number and code, hours later",
        lambda w: [
            post(_first(w, effectiveDateTime="2026-11-02T08:00:00+07:00")),
            post(_then(w, "final", effectiveDateTime="2026-11-02T11:00:00+07:00")),
        ],
        [of("AN"), waits("other-time", cadre="AN")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "a correction that fits two results",
        lambda w: [
            transaction(_first(w, valueString="E. coli"), _first(w, valueString="K. pneumoniae")),
            post(_then(w, valueString="E. coli ESBL")),
        ],
        [of("AN"), of("AN"), waits("several-versions", cadre="AN")],
        {"value": "E. coli"},
    ),
    Row(
        "the same number, another code",
        lambda w: [post(_first(w)), post(_then(w, "final", code=coded("2951-2", "Natri")))],
        [of("AN"), of("AN")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "the same number without a system, of two people",
        lambda w: [
            post(_first(w, identifier=[{"value": "17/2026"}])),
            post(result(w, w.person("BINH"), identifier=[{"value": "17/2026"}])),
        ],
        [of("AN"), of("BINH")],
    ),
    Row(
        "the same number, code and time, of another person",
        lambda w: [post(_first(w)), post(result(w, w.person("BINH"), valueQuantity=SEVEN))],
        [of("AN"), waits("belongs-to-another", cadre="BINH")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "a correction and what it corrects in one batch",
        lambda w: [batch(_first(w), _then(w))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    # what the centre itself had sent
    Row(
        "our own Observation, sent back",
        lambda w: [post(result(w, w.person("AN"), identifier=[w.measured("AN.K1/BIO-CREA").identifier]))],
        [ignored("own")],
    ),
    Row(
        "our own Observation, sent back with a number of the hospital's before",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    identifier=[
                        {"system": RESULTS, "value": w.number},
                        {"value": w.measured("AN.K1/BIO-CREA").identity.upper()},
                    ],
                )
            )
        ],
        [ignored("own")],
    ),
    Row(
        "our own Observation, corrected by the hospital",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    identifier=[w.measured("AN.K1/BIO-CREA").identifier],
                    status="corrected",
                    valueQuantity=SEVEN,
                )
            )
        ],
        [waits("own-revised", cadre="AN")],
    ),
)
