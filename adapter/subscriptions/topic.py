"""The one topic that there is, and the names of the guide's extensions and profiles (pure).

R4 has no resource for a topic: it is its canonical URL, which the CapabilityStatement names.
"""

from typing import Final

__all__ = [
    "CAPABILITIES",
    "CHANNEL_TYPE",
    "FILTER_CRITERIA",
    "HEARTBEAT_PERIOD",
    "MAX_COUNT",
    "NOTIFICATION_PROFILE",
    "OPERATIONS",
    "PAYLOAD_CONTENT",
    "REFERRAL_TYPES",
    "SEARCH_PARAMETERS",
    "STATUS_PROFILE",
    "SUBSCRIPTION_PROFILE",
    "TIMEOUT",
    "TOPIC_EXTENSION",
    "topic_url",
]

_GUIDE: Final = "http://hl7.org/fhir/uv/subscriptions-backport"
_PROFILES: Final = f"{_GUIDE}/StructureDefinition/"

CAPABILITIES: Final = f"{_GUIDE}/CapabilityStatement/backport-subscription-server-r4"
OPERATIONS: Final = f"{_GUIDE}/OperationDefinition/backport-subscription-"
SUBSCRIPTION_PROFILE: Final = f"{_PROFILES}backport-subscription"
NOTIFICATION_PROFILE: Final = f"{_PROFILES}backport-subscription-notification-r4"
STATUS_PROFILE: Final = f"{_PROFILES}backport-subscription-status-r4"
TOPIC_EXTENSION: Final = f"{_PROFILES}capabilitystatement-subscriptiontopic-canonical"
FILTER_CRITERIA: Final = f"{_PROFILES}backport-filter-criteria"
CHANNEL_TYPE: Final = f"{_PROFILES}backport-channel-type"
PAYLOAD_CONTENT: Final = f"{_PROFILES}backport-payload-content"
HEARTBEAT_PERIOD: Final = f"{_PROFILES}backport-heartbeat-period"
TIMEOUT: Final = f"{_PROFILES}backport-timeout"
MAX_COUNT: Final = f"{_PROFILES}backport-max-count"

SEARCH_PARAMETERS: Final = {"_id": "token", "status": "token", "url": "uri", "criteria": "string"}
REFERRAL_TYPES: Final = frozenset({"ServiceRequest", "Task"})  # what a referral is at a hospital


def topic_url(base: str) -> str:
    """The canonical URL of the topic at the endpoint `base`: a referral that this hospital was sent is new
    there, changed or taken back.
    """
    return f"{base.rstrip('/')}/SubscriptionTopic/referral-change"
