"""The centre's identity key is changed: it leaked, can be guessed, or is simply old."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError
from adapter.fhir.identity import IdentityFactory, is_weak_key
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.application import read_identity_key
from adapter.pipeline.key_change import KeyChange, change_identity_key, look_at_key_change
from adapter.pipeline.remembered_head import AuditKey, RememberedHead

__all__ = ["ChangeIdentityKey", "KeyChange"]

_SILENT = timedelta(minutes=10)  # a worker at work gives a sign every few seconds


@dataclass(frozen=True)
class ChangeIdentityKey(Operation[KeyChange, KeyChange]):
    """Put the database under the key that `reference` names; that of the settings is the one so far. All or
    nothing; what hospitals hold is sent again by the next syncs, as any change is. What was sent and not
    answered stops it unless `leave_unanswered`: that is taken back under its old identity and made anew, so
    its id at the hospital is lost. Nothing undoes it but a change to yet another key.
    """

    name: ClassVar[str] = "identity-key.change"
    audited_as: ClassVar[tuple[str, ...]] = ("identity-key.changed",)
    reference: str
    leave_unanswered: bool = False

    def look(self, context: OperationContext) -> KeyChange:
        """What it means at each hospital. Raises UsageError for a key that cannot be taken."""
        self._new(context)
        with read_transaction(context.adapter.engine) as connection:
            context.adapter.require_its_key(connection)
            return look_at_key_change(context.adapter, connection, self.reference)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> KeyChange:
        """Do it. Raises UsageError where services are at work, or something was not answered."""
        adapter, new = context.adapter, self._new(context)
        unchanged()
        alive = [one for one in adapter.ledger.workers.all() if context.clock() - one.seen_at < _SILENT]
        if alive:
            raise UsageError("identity.at_work", count=len(alive), host=alive[0].host, pid=alive[0].pid)
        seen = self.look(context)
        unanswered = sum(one.unanswered for one in seen.hospitals)
        if unanswered and not self.leave_unanswered:
            raise UsageError("identity.unanswered", count=unanswered)
        now = context.clock()
        with write_transaction(adapter.engine) as connection:
            done = change_identity_key(adapter, connection, self.reference, new, by=context.by, now=now)
        if done.audit:  # the head is sealed with the new key from now on
            key = AuditKey.made_of(adapter.settings.secret(self.reference).get_secret_value())
            RememberedHead(adapter.engine, adapter.settings.data_folder, lambda: key).accept()
        return done

    def _new(self, context: OperationContext) -> IdentityFactory:
        adapter = context.adapter
        new = read_identity_key(adapter.settings, self.reference)
        if is_weak_key(adapter.settings.secret(self.reference).get_secret_value().encode()):
            raise UsageError("identity.weak", reference=self.reference)
        if new.mark in [one.mark for one in (adapter.identities, *adapter.identities.formers)]:
            raise UsageError("identity.same", reference=self.reference)
        return new
