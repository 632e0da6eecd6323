"""`adapter cadre show`: what the records hold of one person."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.document_words import remark_words, signature_words
from adapter.cli.terminal.context import AsJson, insights, open_adapter
from adapter.cli.terminal.output import code_words, emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.person_record import PersonRecord, ShownResult, ValueSeries
    from adapter.insights.person_search import FoundPerson
    from adapter.result_content import ResultContent

__all__ = ["draw_content", "show"]


def show(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="KEY", help=say("person.help_words"))],
    documents: Annotated[Path | None, typer.Option("--documents", help=say("person.help_documents"))] = None,
    as_json: AsJson = False,
) -> None:
    """Visits, values over the years, results, referrals."""
    from adapter.errors import UsageError

    with open_adapter(context) as adapter:
        looking = insights(adapter)
        found = looking.find_people(" ".join(words))
        if not found:
            raise UsageError("person.nobody")
        person = looking.person(found[0].key) if len(found) == 1 else None
        written = looking.write_documents(person.person.key, documents) if person and documents else ()
    if person is None:
        emit({"people": found}, as_json, lambda out: _draw_people(out, found))
        raise typer.Exit(1)
    facts = {"people": found, "record": person, "documents": written}
    emit(facts, as_json, lambda out: _draw(out, person))
    if documents is not None and not as_json:
        emit(None, False, lambda out: out.print(say("person.written", count=len(written), folder=documents)))


def _draw_people(out: "Console", found: "Sequence[FoundPerson]") -> None:
    out.print(say("person.several", count=len(found)))
    out.print(_people(found))


def _people(found: "Sequence[FoundPerson]") -> object:
    made = table(*(say(f"merge.col_{word}") for word in ("key", "name", "sex", "birth_date")))
    return rows(made, [(one.key, one.name, code_words(one.sex), one.birth_date) for one in found])


def _draw(out: "Console", found: "PersonRecord") -> None:
    out.print(_people([found.person]))
    if found.deceased_on:
        out.print(say("person.deceased", on=found.deceased_on))
    _section(
        out,
        "visits",
        ("date", "what", "hospital", "reason", "conclusion", "key"),
        [
            (
                _time(one.started_at),
                code_words(one.type.value),
                one.hospital or "-",
                one.reason or "-",
                one.conclusion or "-",
                one.key,
            )
            for one in found.visits
        ],
    )
    _section(
        out,
        "diagnoses",
        ("date", "code", "what", "key"),
        [(one.recorded_on or "-", one.icd10, one.text or "-", one.key) for one in found.diagnoses],
    )
    _section(
        out,
        "procedures",
        ("date", "what", "status", "outcome", "key"),
        [
            (_time(one.started_at), one.name or one.code, code_words(one.status), one.outcome or "-", one.key)
            for one in found.procedures
        ],
    )
    _section(
        out,
        "immunizations",
        ("date", "what", "status", "key"),
        [
            (str(one.given_at), one.name or one.vaccine, code_words(one.status), one.key)
            for one in found.immunizations
        ],
    )
    _section(
        out,
        "values",
        ("what", "date", "value", "local", "range", "flag", "from", "key"),
        list(_values(found.values)),
    )
    _section(
        out,
        "referrals",
        ("date", "hospital", "what", "status", "fulfilment", "answered_by", "key"),
        [
            (
                _time(one.ordered_at),
                one.hospital,
                one.service,
                code_words(one.status),
                code_words(one.state.value),
                one.fulfilled_by or "-",
                one.key,
            )
            for one in found.referrals
        ],
    )
    _section(
        out,
        "papers",
        ("date", "what", "hospital", "read_with"),
        [
            (moment(one.received_at), one.type, one.hospital, f"adapter inbox show {one.item}")
            for one in found.papers
        ],
    )
    if found.results:
        out.print(say("person.results"))
    for result in found.results:
        _draw_result(out, result)


def _section(out: "Console", name: str, columns: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    if lines:
        headers = [say(f"person.col_{word}") for word in columns]
        out.print(rows(table(*headers, title=say(f"person.{name}")), lines))


def _values(series: "Sequence[ValueSeries]") -> Iterator[tuple[object, ...]]:
    for one in series:
        for value in one.values:
            yield (
                one.name,
                value.at or "-",
                _with_contradictions(value.value, value.contradictions),
                value.local or "-",
                value.range or "-",
                value.flag or "-",
                value.hospital or say("person.centre"),
                value.record,
            )


def _with_contradictions(value: str, contradictions: Sequence[str]) -> str:
    said = [value, *(say(f"person.contradicts_{one}") for one in contradictions)]
    return "; ".join(filter(None, said))


def _draw_result(out: "Console", result: "ShownResult") -> None:
    out.print(
        say(
            "person.result",
            title=result.title or "-",
            type=result.type,
            status=code_words(result.status),
            hospital=result.hospital,
            at=moment(result.issued_at),
            key=result.key,
        )
    )
    if result.referral:
        out.print(f"  {say('person.answers', referral=result.referral)}")
    draw_content(out, result.content)
    for one in result.versions:
        out.print(
            "  "
            + say(
                "person.version",
                item=one.item,
                at=moment(one.received_at),
                status=code_words(one.status),
                state=say(f"cli.state_{one.state}"),
                by=say("person.by_matching") if one.settled_by == "matching" else one.settled_by or "-",
            )
        )


def draw_content(out: "Console", content: "ResultContent") -> None:
    """All that a result says: its values as a table, everything else a line each."""
    parts = [
        (
            title or "-",
            _with_contradictions(part.value_words, part.contradictions) or "-",
            part.local.words if part.local else "-",
            part.range_words or "-",
            part.flag_words or "-",
        )
        for title, part, _ in content.parts()
        if part.value_words or part.flags or part.ranges
    ]
    if parts:
        headers = [say(f"person.col_{word}") for word in ("what", "value", "local", "range", "flag")]
        out.print(rows(table(*headers), parts))
    for label, text in _lines(content, ""):
        indented = "\n    ".join(text.splitlines())
        out.print(f"  {say(f'person.label_{label}')}: {indented}")


def _lines(content: "ResultContent", of: str) -> "Iterator[tuple[str, str]]":
    """What a result says beside its values, and its members after it: what each line is, and its words."""
    begin = f"{of}: " if of else ""
    for label, said in (
        ("code", [content.code.coded] if content.code and content.code.codings else []),
        ("specimen", [one.words for one in content.specimens]),
        ("site", [one.coded for one in content.body_sites]),
        ("method", [content.method.coded] if content.method else []),
        ("time", [content.effective] if content.effective else []),
        ("reason", [one.coded for one in (*content.reasons, content.status_reason) if one]),
        ("conclusion", [content.conclusion] if content.conclusion else []),
        ("conclusion_code", [one.coded for one in content.conclusion_codes]),
        ("outcome", [content.outcome.coded] if content.outcome else []),
        ("complication", [one.coded for one in content.complications]),
        ("follow_up", [one.coded for one in content.follow_up]),
        ("note", [_note(one.text, one.author, one.time) for one in content.notes]),
        ("sender", [*content.senders, *content.interpreters]),
        ("narrative", [content.narrative] if content.narrative else []),
        ("unread", [", ".join(content.unread)] if content.unread else []),
    ):
        for one in said:
            yield label, f"{begin}{one}"
    for document in content.attachments:
        bad = say("person.unreadable") if document.unreadable else ""
        yield "attachment", f"{begin}{'; '.join(filter(None, (document.words, bad, document.text)))}"
        for words in (*remark_words(document.remarks), *map(signature_words, document.signatures)):
            yield "attachment", f"{begin}{words}"
    for member in content.members:
        if member.content is None:
            other = say("person.other_subject") if member.other_subject else ""
            yield "member", begin + "; ".join(filter(None, (member.display or member.reference, other)))
        else:
            status = member.content.status
            title = member.content.title or member.content.type
            shown = (
                f"{title} ({code_words(status or '-')})" if status not in ("final", "completed") else title
            )
            yield from _lines(member.content, shown)


def _time(at: date) -> str:
    """A moment here; a day as it is, since no time was written."""
    return moment(at) if isinstance(at, datetime) else str(at)


def _note(text: str, author: str | None, time: str | None) -> str:
    by = ", ".join(filter(None, (author, time)))
    return f"{text} ({by})" if by else text
