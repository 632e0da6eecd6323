"""The pages of referrals for who is signed in: what is shown is read, what is answered stored and matched."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from starlette.responses import RedirectResponse, Response

from adapter.authorization import page_access
from adapter.authorization.page_access import PageSession
from adapter.errors import ImportRefused, PdfRefused
from adapter.fhir.codec import Resource
from adapter.insights.hospital_page import SentReferral, page_findings, sent_referral, sent_referrals
from adapter.insights.referral_sheet import sheet_of
from adapter.insights.referrals import referral_course
from adapter.insights.shown_referral import listed, reference_target, shown, turning_points
from adapter.pdf.referral_sheet import sheet_bytes
from adapter.pipeline.access_audit import audit_page_view
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.page_answers import match_page_answers, store_page_answer
from adapter.pipeline.inbound.pdf_documents import facts_for
from adapter.records.plausible.ranges import PlausibleRanges, load_ranges
from adapter.repository.repository import Repository
from adapter.web.hospital_page.actions import PageAction, leads_on, offered_actions
from adapter.web.hospital_page.answers import (
    ROWS,
    AnsweredReferral,
    FormProblem,
    PageAnswer,
    read_answer,
    resources_of,
)
from adapter.web.hospital_page.corrections import MOVED, ShownFinding, read_corrections, shown_findings
from adapter.web.hospital_page.measures import PageMeasures
from adapter.web.hospital_page.rendering import PageRenderer, PageVisitor, problem_lines, written_fields
from adapter.web.sent_forms import SentForm

__all__ = ["ReferralPages"]

_SIZE: Final = 20  # of a list's page
_SHOWN_ROWS: Final = 6  # of findings, before somebody asks for more
_IDENTITY: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"[\w-]{20,60}", re.ASCII)
_NOTICES: Final = {"1": "stored", "2": "stored_for_later"}


class ReferralPages:
    """For one endpoint; any number of threads."""

    def __init__(
        self,
        adapter: Adapter,
        repository: Repository,
        render: PageRenderer,
        clock: Callable[[], datetime],
        after_receive: Callable[[], None] | None,
    ) -> None:
        self._adapter = adapter
        self._repository = repository
        self._render = render
        self._clock = clock
        self._after_receive = after_receive
        self._measures: tuple[str, PageMeasures] | None = None

    def reader(self, session: PageSession) -> PageVisitor:
        """Who reads the pages of a session."""
        hospital = self._adapter.settings.hospitals[session.hospital]
        return PageVisitor(session.language, hospital.display, session.form_key)

    def list(self, session: PageSession, page: int, *, closed: bool) -> Response:
        """A page of the list, counted from 1. Audited."""
        found = sent_referrals(
            self._adapter, session.hospital, closed=closed, start=(page - 1) * _SIZE, count=_SIZE
        )
        audit_page_view(self._adapter, session.hospital, self._clock(), count=len(found.referrals))
        return self._render(
            "list.html",
            self.reader(session),
            "",
            lines=[listed(one) for one in found.referrals],
            total=found.total,
            page=page,
            size=_SIZE,
            closed=closed,
        )

    def one(self, session: PageSession, identity: str, done: str = "") -> Response:
        """A referral, 404 where the hospital has none of that identity; `done`: after an answer. Audited."""
        sent = self._sent(session, identity)
        if sent is None:
            return self._render.message(self.reader(session), 404, "not_here")
        return self._page(session, sent, notice=_NOTICES.get(done, ""))

    def sheet(self, session: PageSession, identity: str) -> Response:
        """The printed sheet of a referral as PDF, 404 where there is none. Audited."""
        sent = self._sent(session, identity)
        if sent is None or sent.request is None:
            return self._render.message(self.reader(session), 404, "not_here")
        audit_page_view(self._adapter, session.hospital, self._clock(), cadre=sent.referral.cadre)
        made = sheet_of(self._adapter, session.hospital, sent, sent.request, session.language)
        headers = {"Content-Disposition": 'attachment; filename="referral.pdf"'}
        return Response(sheet_bytes(made), headers=headers, media_type="application/pdf")

    def answer(self, session: PageSession, identity: str, action: PageAction, form: SentForm) -> Response:
        """Store what the form says; then the referral as it stands, or what is wrong with the form."""
        sent = self._sent(session, identity)
        if sent is None:
            return self._render.message(self.reader(session), 404, "not_here")
        name = form.digest(session.hospital, identity, action)
        if page_access.is_taken(self._adapter.engine, name):
            return self._to(identity, "1")
        findings = self._findings(session.hospital, sent)
        if action not in self._offered(sent, findings):
            return self._page(session, sent, 409, notice="moved_on")
        if not _NUMBER.fullmatch(form.get("form")):
            return self._render.message(self.reader(session), 400, "bad_form")
        now, measures = self._clock(), self._page_measures(session.hospital)
        if action is PageAction.CORRECT:
            resources, problems = read_corrections(form, findings, measures, now)
        else:
            resources, problems = self._resources(session.hospital, sent, action, form, name=name, now=now)
        if problems:
            return self._page(session, sent, 422, failed=action, form=form, problems=problems)
        store_page_answer(
            self._adapter,
            self._repository,
            session.hospital,
            resources,
            form=name,
            cadre=sent.referral.cadre,
            action=action,
            now=now,
        )
        return self._to(identity, "1" if self._is_shown(session, sent, action) else "2")

    def _resources(
        self,
        hospital: str,
        sent: SentReferral,
        action: PageAction,
        form: SentForm,
        *,
        name: str,
        now: datetime,
    ) -> tuple[Sequence[Resource], Sequence[FormProblem]]:
        """What the form says, or what is wrong with it."""
        measures = self._page_measures(hospital)
        answer = read_answer(action, form, measures, now)
        if not isinstance(answer, PageAnswer):
            return (), answer
        if answer.pdf is not None:
            try:
                answer = replace(answer, facts=facts_for(self._adapter, answer.pdf, sent.identity))
            except PdfRefused as error:
                return (), (FormProblem("pdf", f"pdf_{error.why}"),)
        display = self._adapter.settings.hospitals[hospital].display
        return resources_of(answer, _answered(sent, display), measures, name=name, now=now), ()

    def _findings(self, hospital: str, sent: SentReferral) -> Sequence[ShownFinding]:
        found = page_findings(self._adapter, hospital, sent.referral)
        return shown_findings(found, self._page_measures(hospital))

    def _is_shown(self, session: PageSession, before: SentReferral, action: PageAction) -> bool:
        """Whether the referral stands by now where the answer leads."""
        match_page_answers(self._adapter, session.hospital, self._clock)
        if self._after_receive is not None:
            self._after_receive()
        after = self._adapter.records.get(before.referral.kind, before.referral.key)
        return isinstance(after, type(before.referral)) and leads_on(
            before.referral.state, after.state, action
        )

    def _to(self, identity: str, done: str) -> Response:
        return RedirectResponse(f"{self._render.root}/referrals/{identity}?done={done}", 303)

    def _sent(self, session: PageSession, identity: str) -> SentReferral | None:
        if not _IDENTITY.fullmatch(identity):
            return None
        return sent_referral(self._adapter, session.hospital, identity)

    @staticmethod
    def _offered(sent: SentReferral, findings: Sequence[ShownFinding]) -> Sequence[PageAction]:
        offered = list(offered_actions(sent.referral.state)) if sent.is_open else []
        return [*offered, PageAction.CORRECT] if findings else offered

    def _page(
        self,
        session: PageSession,
        sent: SentReferral,
        status: int = 200,
        *,
        notice: str = "",
        failed: PageAction | None = None,
        form: SentForm | None = None,
        problems: Sequence[FormProblem] = (),
    ) -> Response:
        now, reader = self._clock(), self.reader(session)
        written = form.fields if form else {}
        audit_page_view(self._adapter, session.hospital, now, cadre=sent.referral.cadre)
        view, findings = shown(sent), self._findings(session.hospital, sent)
        return self._render(
            "referral.html",
            reader,
            f"/referrals/{sent.identity}",
            status,
            view=view,
            line=view.line,
            notice=notice,
            actions=self._offered(sent, findings),
            findings=findings,
            failed=failed,
            problems=problem_lines(problems, reader.language),
            value_of=written_fields(written),
            has_moved=MOVED in problems,
            shown_rows=_SHOWN_ROWS,
            more_written=any(written.get(f"measure-{row}") for row in range(_SHOWN_ROWS + 1, ROWS + 1)),
            form_number=secrets.token_urlsafe(24),
            measures=self._page_measures(session.hospital).labels(reader.language),
            moments=turning_points(referral_course(self._adapter, sent.referral.key, now).moments),
        )

    def _page_measures(self, hospital: str) -> PageMeasures:
        """Those of the mapping in force at the hospital."""
        destination = self._adapter.destination(hospital)
        if self._measures is None or self._measures[0] != destination.mapping_version:
            measures = PageMeasures(destination.mappings.codes, self._ranges())
            self._measures = destination.mapping_version, measures
        return self._measures[1]

    def _ranges(self) -> PlausibleRanges:
        """None are known where the table has a mistake: that is told where mappings are checked."""
        try:
            return load_ranges(self._adapter.settings.mappings_folder / "codes")
        except ImportRefused:
            return PlausibleRanges({}, {})


def _answered(sent: SentReferral, hospital: str) -> AnsweredReferral:
    """What an answer to it names."""
    request = sent.request or {}
    subject = reference_target((request.get("subject") or {}).get("reference"))
    return AnsweredReferral(
        system=sent.system,
        identity=sent.identity,
        subject=None if subject is None else subject[1],
        code=request.get("code"),
        hospital=hospital,
        number=sent.referral.hospital_number or "",
    )
