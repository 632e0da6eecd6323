"""What waits for a person, as the read side shows it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from adapter.insights.audited_viewer import AuditedViewer

if TYPE_CHECKING:
    from adapter.inbox.rulings import PatientRuling
    from adapter.insights.day import Day
    from adapter.insights.inbox_item import InboxItemReport
    from adapter.insights.inbox_list import InboxList, ListedItem
    from adapter.insights.parked import ParkedCause
    from adapter.insights.referral_not_there import ReferralNotThere
    from adapter.insights.referrals import ReferralCourse, ReferralLine
    from adapter.insights.refusals import RefusedResource
    from adapter.insights.refused_requests import ListedRefusal, RefusedRequestReport

__all__ = ["WaitingInsights"]


class WaitingInsights(AuditedViewer):
    """What waits: today's work, what is parked, what hospitals sent, and where referrals stand."""

    def today(self, *, sees_t1: bool = True) -> "Day":
        """Today's work, the most urgent first, and how much waits in time; nothing of a person is in it."""
        from adapter.insights.day import day_work

        return day_work(self.adapter, self.clock(), sees_t1=sees_t1)

    def parked(self, hospitals: Sequence[str]) -> "Sequence[ParkedCause]":
        """What is parked at these hospitals, by cause, referrals first."""
        from adapter.insights.parked import ParkedSelection, parked_causes

        return parked_causes(self.adapter, [ParkedSelection(name) for name in hospitals], self.clock())

    def refused(
        self,
        hospitals: Iterable[str],
        most: int,
        *,
        key: str | None = None,
        command: str | None = None,
        sees_t1: bool = True,
    ) -> "Sequence[RefusedResource]":
        """What waits for a person, said of the local record: `most` at each hospital, or of `key` alone.
        `command` is given where what the cells hold will be shown, and audited. Raises MappingError
        where a mapping cannot be loaded.
        """
        from adapter.insights.refusals import refused_resources
        from adapter.insights.seen_people import seen_people

        sees = seen_people(self.adapter, sees_t1=sees_t1)
        found = [
            one for name in hospitals for one in refused_resources(self.adapter, name, most, key, sees=sees)
        ]
        if command is not None:
            self.audit_read(((one.kind, one.key) for one in found), command)
        return found

    def names(self, people: Iterable[str], command: str) -> Mapping[str, str]:
        """What these people (keys) are called; "" of whom there is nothing. Audited."""
        from adapter.records.model import Cadre

        found = {key: self.adapter.records.get(Cadre.kind, key) for key in dict.fromkeys(people)}
        self.audit_read((("cadre", key) for key in found), command)
        return {key: one.name if isinstance(one, Cadre) else "" for key, one in found.items()}

    def inbox_page(
        self, state: str, *, before: int | None = None, limit: int = 50, sees_t1: bool = True
    ) -> "Sequence[ListedItem]":
        """The newest items in a state, a page of them; the next page is `before` the last of it. For who does
        not see people of T1, theirs are not there. Audited.
        """
        from adapter.insights.inbox_list import inbox_page
        from adapter.insights.seen_people import seen_people

        exists = seen_people(self.adapter, sees_t1=sees_t1)
        found = inbox_page(self.adapter, state, exists, before, limit)
        self._note_look("inbox.listed", state=state, items=len(found))
        return found

    def inbox(self, state: str | None = None) -> "InboxList":
        """What hospitals sent: how many items are in each state, and those in `state` (None: all)."""
        from adapter.insights.inbox_list import inbox_list

        found = inbox_list(self.adapter, state)
        self._note_look("inbox.listed", state=state, items=len(found.items))
        return found

    def refused_requests(self) -> "Sequence[ListedRefusal]":
        """What the endpoint refused for its content and keeps. Audited."""
        from adapter.insights.refused_requests import refused_list

        found = refused_list(self.adapter)
        self._note_look("inbox.refused_listed", items=len(found))
        return found

    def refused_request(self, number: int) -> "RefusedRequestReport":
        """One of these as it came. Raises UsageError where there is none. Audited."""
        from adapter.insights.refused_requests import refused_request_report

        found = refused_request_report(self.adapter, number)
        self._note_look("inbox.refused_read", item=number, digest=found.request.digest)
        return found

    def rulings(self) -> "Sequence[PatientRuling]":
        """What people said of hospitals' patients, the last first. Audited."""
        from adapter.database import read_transaction
        from adapter.inbox.rulings import all_rulings

        with read_transaction(self.adapter.engine) as connection:
            found = all_rulings(connection)
        self.audit_read((("cadre", one.cadre) for one in found), "inbox remembered")
        return found

    def inbox_item(
        self, number: int, *, sees_t1: bool = True, also: Collection[str] = ()
    ) -> "InboxItemReport":
        """One item with all that it says, beside whom it could be about, and `also` these people (keys): who
        looks is audited first for each of them. Raises UsageError where there is none, or none for who does
        not see people of T1.
        """
        from adapter.insights.inbox_item import inbox_item_report, without_unknown
        from adapter.insights.seen_people import seen_people

        exists = seen_people(self.adapter, sees_t1=sees_t1)
        found = without_unknown(inbox_item_report(self.adapter, number, also), exists)
        self.audit_read((("cadre", one.cadre) for one in found.candidates), "inbox show")
        self._note_look("inbox.read", item=number)
        return found

    def referrals(
        self, hospitals: Sequence[str], *, with_closed: bool = False, sees_t1: bool = True
    ) -> "Sequence[ReferralLine]":
        """Referrals to these hospitals: where each stands, and what is waited for; the late ones first. For
        who does not see people of T1, theirs are not there.
        """
        from adapter.insights.referrals import referral_lines
        from adapter.insights.seen_people import seen_people

        exists = seen_people(self.adapter, sees_t1=sees_t1)
        lines = referral_lines(self.adapter, hospitals, self.clock(), with_closed=with_closed)
        found = [one for one in lines if exists(one.cadre)]
        self._note_look("referrals.listed", items=len(found))
        return found

    def referral(self, key: str, *, sees_t1: bool = True) -> "ReferralCourse":
        """One referral, and all that was said of it. Raises UsageError where there is none, or none for who
        does not see people of T1.
        """
        from adapter.errors import UsageError
        from adapter.insights.referrals import referral_course
        from adapter.insights.seen_people import seen_people

        found = referral_course(self.adapter, key, self.clock())
        if not seen_people(self.adapter, sees_t1=sees_t1)(found.line.cadre):
            raise UsageError("referral.unknown", key=key)
        self.audit_read([("referral", key)], "referral show")
        return found

    def referral_not_there(self, key: str, command: str = "console referral") -> "ReferralNotThere | None":
        """Why a referral is not at its hospital; None where it is, or is no referral. Audited."""
        from adapter.insights.referral_not_there import referral_not_there
        from adapter.records.model import Referral

        self.audit_read([("referral", key)], command)
        found = self.adapter.records.get(Referral.kind, key)
        return referral_not_there(self.adapter, found, self.clock()) if isinstance(found, Referral) else None

    def service_names(self) -> Mapping[str, str]:
        """What the services are called that people are referred for, by code."""
        from adapter.insights.person_page import service_names
        from adapter.pipeline.inbound.result_parts import known_measures

        return service_names(known_measures(self.adapter))
