"""What is read of an import before it is in: few examples of values, and every person who comes or goes."""

from adapter.records.importing.change_summary import ChangeSummary
from adapter.records.importing.import_history import RecordChange


def change(number: int, before: str | None, after: str | None) -> RecordChange:
    key = f"CB-{number:03}"
    return RecordChange("cadre", key, key, before is not None, False, before, after)


def test_every_person_who_comes_or_goes_is_named() -> None:
    summary = ChangeSummary()
    summary.note(change(number, None, f'{{"name": "Người {number}"}}') for number in range(30))
    summary.note(change(number, f'{{"name": "Người {number}"}}', None) for number in range(30, 37))
    found = {one.field: one for one in summary.fields()}
    assert [new for _, _, new in found["created"].examples] == [f"Người {number}" for number in range(30)]
    assert [key for key, _, _ in found["deleted"].examples] == [f"CB-{number:03}" for number in range(30, 37)]


def test_of_values_that_change_a_few_are_shown() -> None:
    summary = ChangeSummary()
    summary.note(change(number, '{"phone": "1"}', '{"phone": "2"}') for number in range(30))
    [phone] = summary.fields()
    assert (phone.field, phone.count, len(phone.examples)) == ("phone", 30, 5)
