"""Before the first write of a contact: the server is proved to be where we left it.

A server that was restored from an older backup gives ids that we remember to others, at versions that we
remember too, so that neither the id nor If-Match protects what now stands there.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from adapter.delivery.decisions.same_server import ServerSign, is_where_we_left_it, read_sign
from adapter.delivery.http.client import HospitalClient, HttpResponse, NoResponse
from adapter.delivery.shipping.context import HospitalUnavailable
from adapter.ledger.hospitals.server import DeliveredResource, HaltReason
from adapter.ledger.server_cards.card import ServerCard
from adapter.ledger.server_cards.identity import is_another_server, self_description
from adapter.ledger.store import LedgerStore
from adapter.telemetry import get_logger

__all__ = ["ServerProof"]

_NEWEST = 3  # resources that are read
_log = get_logger(__name__)


class ServerProof:
    """The proof of one run at one hospital, shared by its threads: made when something is first sent, and
    again after the hospital was away, since it may have been restored meanwhile.
    """

    def __init__(
        self,
        name: str,
        client: HospitalClient,
        ledger: LedgerStore,
        *,
        system: str,
        card: ServerCard,
        clock: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._client = client
        self._ledger = ledger
        self._system = system
        self._card = card
        self._clock = clock
        self._lock = threading.Lock()
        self._holds: bool | None = None

    def holds(self, before_each_read: Callable[[], None]) -> bool:
        """Whether the server is where we left it; the hospital is halted where it is not. Raises
        HospitalUnavailable when it does not say.
        """
        with self._lock:
            if self._holds is None:
                self._holds = self._prove(before_each_read)
            return self._holds

    def lose(self) -> None:
        """The hospital was away: what was proved holds no longer."""
        with self._lock:
            self._holds = self._holds and None

    def _prove(self, before_each_read: Callable[[], None]) -> bool:
        signs: list[ServerSign] = []
        for known in self._ledger.servers.newest_delivered(self._name, _NEWEST):
            before_each_read()
            signs.append(self._sign(known))
        found = is_where_we_left_it(signs, deleted_status=self._card.deleted_status)
        return found or self._halt(signs)

    def _sign(self, known: DeliveredResource) -> ServerSign:
        reply = self._client.get(f"{known.type}/{known.remote_id}")
        if isinstance(reply, NoResponse):
            raise HospitalUnavailable(reply.why)
        gone = reply.status in (404, 410) and (reply.is_fhir or reply.is_empty)
        if not gone and not (
            reply.status == 200 and reply.is_fhir and reply.body["resourceType"] == known.type
        ):
            raise HospitalUnavailable(_why_unreadable(reply))
        return read_sign(
            None if gone else reply.body,
            reply.status,
            identities=[one for one in (known.identity, known.former_identity) if one],
            etag=known.etag,
            system=self._system,
        )

    def _halt(self, signs: list[ServerSign]) -> bool:
        words = self._client.get("metadata")
        says = None if isinstance(words, NoResponse) else self_description(words.body)
        noted = self._ledger.hospitals.row(self._name).server_says
        why = HaltReason.OTHER_SERVER if is_another_server(noted, says) else HaltReason.RESTORED
        self._ledger.servers.halt(self._name, why, self._clock(), by="delivery")
        _log.error("delivery.halted", hospital=self._name, why=str(why), signs=[str(sign) for sign in signs])
        return False


def _why_unreadable(reply: HttpResponse) -> str:
    status = reply.status
    if status in (401, 403) or reply.redirected_to is not None:
        return reply.trouble
    return "busy" if status in (408, 429) or status >= 500 else "not-fhir"
