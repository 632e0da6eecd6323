"""What no file may do to many without being asked: delete, empty a column, make people others (pure)."""

from collections.abc import Mapping

from adapter.errors import ImportRefused
from adapter.records.importing.change_summary import ChangeSummary
from adapter.records.importing.identity_checks import IdentityChecker
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.texts import say

__all__ = ["refuse_mass_clearing", "refuse_mass_deletion", "refuse_strangers"]

_FEW_CLEARED = 5  # cells of a column that may be emptied in any centre, however small


def refuse_mass_deletion(kind: str, named: int, absent: int, live: int, limit: float) -> None:
    """Raises ImportRefused when more than `limit` percent of the `live` records of a kind would go: those
    that the file `named` (a mark, T0), and those that are `absent`, which a part of a file does not delete.
    """
    if (named + absent) * 100 > live * limit:
        helps = named * 100 <= live * limit  # to say that the file is a part
        raise ImportRefused(
            "import.too_many_deletions" if helps else "import.too_many_named_deletions",
            kind=say(f"import.kind_{kind}"),
            deleted=named + absent,
            named=named,
            live=live,
            limit=f"{limit:g}",
        )


def refuse_strangers(identities: IdentityChecker, tally: ImportReportBuilder, live: int) -> None:
    """One key that changes hands is one row's affair; of many, ImportRefused: the keys are counted anew."""
    if identities.too_many(live):
        raise ImportRefused(
            "import.too_many_strangers",
            problems=tally.first_problems(),
            count=identities.strangers,
            live=live,
        )


def refuse_mass_clearing(
    summary: ChangeSummary, kind: str, live: int, limit: float, titles: Mapping[tuple[str, str], str]
) -> None:
    """Raises ImportRefused when more than `limit` percent of a kind's `live` records would lose what they
    have in a column; `titles` are the columns' by kind and field.
    """
    for (of_kind, field), count in summary.cleared.items():
        if of_kind == kind and count > _FEW_CLEARED and count * 100 > live * limit:
            raise ImportRefused(
                "import.too_many_cleared",
                kind=say(f"import.kind_{kind}"),
                column=titles.get((kind, field), field),
                count=count,
                live=live,
                limit=f"{limit:g}",
            )
