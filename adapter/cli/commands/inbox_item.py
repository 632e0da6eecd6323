"""How `adapter inbox show` draws one item: what the hospital wrote, and whom it could be about."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from adapter.cli.commands.cadre_show import draw_content
from adapter.cli.terminal.output import code_words, moment, rows, table
from adapter.texts import has_text, say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.inbox_item import InboxItemReport, LikenessPoint
    from adapter.insights.item_content import ItemStatement

__all__ = ["draw_item", "reasons_in_words"]

_MOST_EXPLAINED = 5  # people whose points are told


def reasons_in_words(reasons: Iterable[str]) -> str:
    """Why an item waits or was ignored, as a sentence each."""
    return "; ".join(say(f"inbox.{one}") if has_text(f"inbox.{one}") else one for one in reasons)


def draw_item(out: "Console", found: "InboxItemReport") -> None:
    """Everything that the item says, then the people it could be about."""
    item = found.item
    out.print(
        say(
            "inbox.show_head",
            item=item.id,
            type=item.type,
            hospital=item.hospital,
            received=moment(item.received_at),
            state=say(f"cli.state_{item.state}"),
            status=code_words(found.status or "-"),
        )
    )
    if item.reasons:
        out.print(say("inbox.show_why", why=reasons_in_words(item.reasons)))
    person = found.person
    for word, values in (
        ("names", person.names),
        ("birth_dates", person.birth_dates),
        ("sexes", [code_words(one) for one in person.sexes]),
        ("identifiers", person.identifiers),
        ("referrals", found.referrals),
    ):
        out.print(f"{say(f'inbox.said_{word}')}: {', '.join(values) or '-'}")
    if found.content is not None:
        draw_content(out, found.content)
    _draw_lines(out, found.lines)
    _draw_versions(out, found)
    _draw_candidates(out, found)


def _draw_lines(out: "Console", lines: "Sequence[ItemStatement]") -> None:
    if not lines:
        return
    headers = [say(f"inbox.col_{word}") for word in ("kind", "label", "value")]
    shown = ((say(f"inbox.kind_{one.kind}"), one.label, one.value) for one in lines)
    out.print(rows(table(*headers), shown))


def _draw_versions(out: "Console", found: "InboxItemReport") -> None:
    if not found.versions:
        return
    out.print(say("inbox.show_versions"))
    headers = [say("cli.col_id"), say("cli.col_state"), say("inbox.col_status"), say("inbox.col_issued")]
    shown = (
        (one.item, say(f"cli.state_{one.state}"), code_words(one.status or "-"), one.issued or "-")
        for one in found.versions
    )
    out.print(rows(table(*headers, numbers=(0,)), shown))


def _draw_candidates(out: "Console", found: "InboxItemReport") -> None:
    if found.never:
        out.print(say("inbox.show_never", cadres=", ".join(found.never)))
    if not found.candidates:
        out.print(say("inbox.show_nobody"))
        return
    words = ("cadre", "name", "born", "sex", "referral", "because", "against", "likeness")
    shown = (
        (
            one.cadre,
            one.name or "-",
            one.birth_date or "-",
            code_words(one.sex or "-"),
            one.referral or "-",
            ", ".join(say(f"inbox.because_{word}") for word in one.because) or "-",
            reasons_in_words(one.against) or "-",
            "-" if one.likeness is None else _bits(one.likeness),
        )
        for one in found.candidates
    )
    out.print(rows(table(*(say(f"inbox.col_{word}") for word in words)), shown))
    explained = [one for one in found.candidates if one.points][:_MOST_EXPLAINED]
    if explained:
        out.print(say("likeness.how"))
    for one in explained:
        out.print(f"  {one.cadre}: {'; '.join(map(_point, one.points))}")


def _point(one: "LikenessPoint") -> str:
    part, level = say(f"likeness.part_{one.part}"), say(f"likeness.level_{one.level}")
    token = f" ({one.token})" if one.token else ""
    return f"{part} {level}{token} {_bits(one.bits)}"


def _bits(value: float) -> str:
    return say("likeness.bits", whole=f"{value:+.1f}".partition(".")[0], tenth=f"{value:.1f}"[-1])
