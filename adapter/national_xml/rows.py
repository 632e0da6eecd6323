"""A row of a sheet: its fields, and where it stands. Pure."""

from dataclasses import dataclass

from adapter.national_xml.moments import birth_date_of, moment_of
from adapter.national_xml.refusals import FilePlace, file_refusal
from adapter.records.sources.checkup.xml_parser import XmlElement

__all__ = ["SheetRow"]


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One record of a sheet, or its only one."""

    element: XmlElement
    place: FilePlace

    def at(self, field: str) -> FilePlace:
        """Where a field of it stands."""
        return FilePlace(self.place.visit, self.place.sheet, self.place.row, field)

    def get(self, field: str) -> str:
        """What stands in a field, without blanks around it; "" where there is none. Raises FhirError where
        it stands there twice and says two things.
        """
        found = {one.text for one in self.element.children.get(field, ()) if one.text}
        if len(found) > 1:
            raise file_refusal(422, "value", "repeated_field", self.at(field))
        return next(iter(found), "")

    def required(self, field: str) -> str:
        """The same. Raises FhirError where it is empty."""
        if not (found := self.get(field)):
            raise file_refusal(422, "required", "missing_field", self.at(field))
        return found

    def moment(self, field: str) -> str | None:
        """The date or dateTime of a field. Raises FhirError for what is none."""
        return moment_of(self.get(field), self.at(field))

    def birth_date(self, field: str) -> str | None:
        """The date of birth in a field, as far as it is known. Raises FhirError."""
        return birth_date_of(self.get(field), self.at(field))
