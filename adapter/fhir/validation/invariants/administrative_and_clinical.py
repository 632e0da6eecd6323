"""Invariants of people, places and what is done for a patient, each after the resource's own page."""

from adapter.fhir.validation.invariants.fhirpath_functions import (
    UCUM,
    Json,
    Predicate,
    choice_exists,
    count,
    each,
    has,
    has_coding,
    not_after,
    one_of,
)

__all__ = ["RULES"]

_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _apart_from_components(observation: Json) -> bool:
    """obs-7: a value does not go with a component of the same code."""
    if "component" not in observation or not choice_exists(observation, "value"):
        return True
    own = each(observation, "code", "coding")
    return not any(one in own for one in each(observation, "component", "code", "coding"))


def _is_ended(condition: Json) -> bool:
    return not choice_exists(condition, "abatement") or has_coding(
        condition, "clinicalStatus", _CLINICAL, "resolved", "remission", "inactive"
    )


def _has_clinical_status(condition: Json) -> bool:
    """con-3, as its words say: the expression itself asks for a status with any category."""
    if has(condition, "clinicalStatus") or has_coding(
        condition, "verificationStatus", _VERIFICATION, "entered-in-error"
    ):
        return True
    return not any(one.get("code") == "problem-list-item" for one in each(condition, "category", "coding"))


def _appointment_times(appointment: Json) -> bool:
    is_timed = has(appointment, "start") and has(appointment, "end")
    return is_timed or one_of(appointment.get("status"), "proposed", "cancelled", "waitlist")


def _is_cancelled(appointment: Json) -> bool:
    return not has(appointment, "cancelationReason") or one_of(
        appointment.get("status"), "no-show", "cancelled"
    )


def _probability(range_: object) -> bool:
    if not isinstance(range_, dict):
        return True
    return all(
        one.get("code") == "%" and one.get("system") == UCUM
        for one in each(range_, "low") + each(range_, "high")
    )


RULES: dict[str, dict[str, Predicate]] = {
    "AllergyIntolerance": {
        "ait-1": lambda o: (
            has(o, "clinicalStatus") or has_coding(o, "verificationStatus", _ALLERGY, "entered-in-error")
        ),
        "ait-2": lambda o: (
            not (
                has(o, "clinicalStatus") and has_coding(o, "verificationStatus", _ALLERGY, "entered-in-error")
            )
        ),
    },
    "Appointment": {
        "app-2": lambda o: has(o, "start") == has(o, "end"),
        "app-3": _appointment_times,
        "app-4": _is_cancelled,
    },
    "Appointment.participant": {"app-1": lambda o: has(o, "type") or has(o, "actor")},
    "AppointmentResponse": {"apr-1": lambda o: has(o, "participantType") or has(o, "actor")},
    "AuditEvent.entity": {"sev-1": lambda o: not (has(o, "name") and has(o, "query"))},
    "CarePlan.activity": {"cpl-3": lambda o: not (has(o, "detail") and has(o, "reference"))},
    "Composition.section": {
        "cmp-1": lambda o: count(o, "text", "entry", "section") > 0,
        "cmp-2": lambda o: not (has(o, "emptyReason") and has(o, "entry")),
    },
    "Condition": {
        "con-3": _has_clinical_status,
        "con-4": _is_ended,
        "con-5": lambda o: (
            not (
                has(o, "clinicalStatus")
                and has_coding(o, "verificationStatus", _VERIFICATION, "entered-in-error")
            )
        ),
    },
    "Condition.evidence": {"con-2": lambda o: has(o, "code") or has(o, "detail")},
    "Condition.stage": {"con-1": lambda o: has(o, "summary") or has(o, "assessment")},
    "Consent": {
        "ppc-1": lambda o: has(o, "policy") or has(o, "policyRule"),
        # the definitions themselves name the system "something", so these four rarely speak
        "ppc-2": lambda o: has(o, "patient") or not has_coding(o, "scope", "something", "patient-privacy"),
        "ppc-3": lambda o: has(o, "patient") or not has_coding(o, "scope", "something", "research"),
        "ppc-4": lambda o: has(o, "patient") or not has_coding(o, "scope", "something", "adr"),
        "ppc-5": lambda o: has(o, "patient") or not has_coding(o, "scope", "something", "treatment"),
    },
    "CoverageEligibilityResponse.insurance.item": {
        "ces-1": lambda o: has(o, "category") != has(o, "productOrService")
    },
    "FamilyMemberHistory": {
        "fhs-1": lambda o: not (choice_exists(o, "age") and choice_exists(o, "born")),
        "fhs-2": lambda o: choice_exists(o, "age") or not has(o, "estimatedAge"),
    },
    "Goal.target": {"gol-1": lambda o: has(o, "measure") or not choice_exists(o, "detail")},
    "Group": {"grp-1": lambda o: not has(o, "member") or o.get("actual") is True},
    "Immunization.education": {"imm-1": lambda o: has(o, "documentType") or has(o, "reference")},
    "ImmunizationRecommendation.recommendation": {
        "imr-1": lambda o: has(o, "vaccineCode") or has(o, "targetDisease")
    },
    "InsurancePlan": {"ipn-1": lambda o: count(o, "identifier", "name") > 0},
    "Linkage": {"lnk-1": lambda o: len(o.get("item", ())) > 1},
    "List": {
        "lst-1": lambda o: not (has(o, "emptyReason") and has(o, "entry")),
        "lst-2": lambda o: (
            o.get("mode") == "changes" or not any(has(one, "deleted") for one in each(o, "entry"))
        ),
        "lst-3": lambda o: (
            o.get("mode") == "working" or not any(has(one, "date") for one in each(o, "entry"))
        ),
    },
    "MedicationAdministration.dosage": {"mad-1": lambda o: has(o, "dose") or choice_exists(o, "rate")},
    "MedicationDispense": {"mdd-1": lambda o: not_after(o.get("whenPrepared"), o.get("whenHandedOver"))},
    "NutritionOrder": {"nor-1": lambda o: count(o, "oralDiet", "supplement", "enteralFormula") > 0},
    "Observation": {
        "obs-6": lambda o: not (has(o, "dataAbsentReason") and choice_exists(o, "value")),
        "obs-7": _apart_from_components,
    },
    "Observation.referenceRange": {"obs-3": lambda o: count(o, "low", "high", "text") > 0},
    "Organization": {"org-1": lambda o: count(o, "identifier", "name") > 0},
    "Organization.address": {"org-2": lambda o: o.get("use") != "home"},
    "Organization.telecom": {"org-3": lambda o: o.get("use") != "home"},
    "Patient.contact": {"pat-1": lambda o: count(o, "name", "telecom", "address", "organization") > 0},
    "QuestionnaireResponse.item": {"qrs-1": lambda o: not (has(o, "answer") and has(o, "item"))},
    "RequestGroup.action": {"rqg-1": lambda o: has(o, "resource") != has(o, "action")},
    "RiskAssessment.prediction": {"ras-2": lambda o: o.get("probabilityDecimal", 0) <= 100},
    "RiskAssessment.prediction.probability[x]": {"ras-1": _probability},
    "ServiceRequest": {"prr-1": lambda o: not has(o, "orderDetail") or has(o, "code")},
    "Task": {"inv-1": lambda o: not_after(o.get("authoredOn"), o.get("lastModified"))},
}
