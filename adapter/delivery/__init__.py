"""From the ledger to a hospital's FHIR server and back to the ledger."""
