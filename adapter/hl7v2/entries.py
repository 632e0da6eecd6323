"""The entries of the transaction that a message becomes, each with the segment that it was made of."""

from adapter.fhir.transaction_entries import ConvertedTransaction
from adapter.fhir.transaction_entries import TransactionEntries as Entries
from adapter.hl7v2.refusals import SegmentPlace

__all__ = ["ConvertedMessage", "TransactionEntries"]

ConvertedMessage = ConvertedTransaction[SegmentPlace]
TransactionEntries = Entries[SegmentPlace]
