"""Which resource types FHIR R4 has, and which of their elements a search may ask for.

Types: http://hl7.org/fhir/R4/resourcelist.html. Parameters: a part of
http://hl7.org/fhir/R4/searchparameter-registry.html, said in the CapabilityStatement.
"""

import re
from typing import Final

from adapter.fhir.identity import identity_search_parameter

# ruff: noqa: SIM905 - the lists read better as words than as 146 quoted strings

__all__ = ["ID_PATTERN", "RESOURCE_TYPES", "reference_elements", "search_parameters"]

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)  # http://hl7.org/fhir/R4/datatypes.html#id

RESOURCE_TYPES: Final = frozenset(
    """
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent
    Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam
    CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem
    Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent
    Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device
    DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest
    DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse
    EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
    FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy
    Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan
    Invoice Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration
    MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct
    MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
    MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
    MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation
    ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation
    Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner
    PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup
    ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment
    RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition
    StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer
    SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
    SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet
    VerificationResult VisionPrescription
    """.split()
)

# Resource type -> the element that `subject` and `patient` look at.
_SUBJECT: Final = {
    **dict.fromkeys(
        """CarePlan CareTeam ClinicalImpression Communication CommunicationRequest Composition Condition
        DeviceRequest DiagnosticReport DocumentReference Encounter Flag Goal ImagingStudy Invoice List Media
        MedicationAdministration MedicationDispense MedicationRequest MedicationStatement Observation
        Procedure QuestionnaireResponse RiskAssessment ServiceRequest Specimen""".split(),
        "subject",
    ),
    "Task": "for",
}
_PATIENT: Final = frozenset(
    "AllergyIntolerance Claim Consent Device EpisodeOfCare Immunization NutritionOrder RelatedPerson".split()
)
_BASED_ON: Final = frozenset(
    """CarePlan DiagnosticReport Encounter Media MedicationRequest Observation Procedure
    QuestionnaireResponse ServiceRequest Task""".split()
)


def reference_elements(resource_type: str) -> tuple[tuple[str, str], ...]:
    """(search parameter, element) for each reference of this type that can be searched."""
    found: list[tuple[str, str]] = []
    if element := _SUBJECT.get(resource_type):
        found += [("subject", element), ("patient", element)]
    elif resource_type in _PATIENT:
        found.append(("patient", "patient"))
    if resource_type in _BASED_ON:
        found.append(("based-on", "basedOn"))
    return tuple(found)


def search_parameters(resource_type: str) -> dict[str, str]:
    """Search parameter -> its type (token, date, reference), in alphabetical order."""
    found = {"_id": "token", "_lastUpdated": "date"}
    found.update((name, "reference") for name, _ in reference_elements(resource_type))
    found[identity_search_parameter(resource_type)] = "token"
    return dict(sorted(found.items()))
