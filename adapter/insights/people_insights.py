"""What is asked of people: who is meant, and one person with all that a doctor looks at."""

from typing import TYPE_CHECKING

from adapter.insights.audited_viewer import AuditedViewer

if TYPE_CHECKING:
    from adapter.insights.measure_trends import MeasureTrend
    from adapter.insights.person_page import ListedPerson, PeopleFound, PersonPage

__all__ = ["PeopleInsights"]


class PeopleInsights(AuditedViewer):
    """The part of `Insights` that is of people, as the console shows it."""

    def people(
        self, typed: str, *, sees_t1: bool, page: int = 1, size: int = 50, command: str = "console people"
    ) -> "PeopleFound":
        """Whom somebody means by what was typed, a page of them by name; everybody of nothing. That somebody
        looked is one row of the audit, with how many were shown: a list tells no more of anybody than a name.
        """
        from adapter.insights.person_page import found_people

        found = found_people(self.adapter, typed, sees_t1=sees_t1, page=page, size=size)
        self._note_look("people.listed", command=command, items=len(found.people))
        return found

    def person_page(
        self, key: str, why: str, *, sees_t1: bool, command: str = "console person"
    ) -> "PersonPage | None":
        """One person; None where there is nobody of that key for this viewer. Audited, with why."""
        from adapter.insights.person_page import person_page

        found = person_page(self.adapter, key, sees_t1=sees_t1, now=self.clock())
        if found is not None:
            self.audit_read([("cadre", key)], command, why)
        return found

    def person_trend(
        self, key: str, measure: str, why: str, *, sees_t1: bool, command: str = "console trend"
    ) -> "tuple[ListedPerson, MeasureTrend] | None":
        """How one measure of a person went over years and hospitals. Audited, with why."""
        from adapter.insights.person_page import person_trend

        found = person_trend(self.adapter, key, measure, sees_t1=sees_t1)
        if found is not None:
            self.audit_read([("cadre", key)], command, why)
        return found
