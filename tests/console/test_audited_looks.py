"""Who looked at whom, and why: by a table of all pages. What is new among them and not in the table fails."""

import pytest
from console_centre import AN, DUC, HOME, PEOPLE, Console
from console_crawl import CrawledPage, crawl
from console_forms import audit_rows, book, park, start, upload
from inbox_centre import put_records

from adapter.authorization.staff_roles import StaffRole
from adapter.fhir import codec
from adapter.web.console.looking import LOOKS
from adapter.web.console.routes import ROUTES

LIST, ONE, WHY = "list", "one", "one, and why"
# What a look leaves: a row for a list, or one for each person of whom more than a name is shown.
LOOKED: dict[str, tuple[str, str]] = {
    "/refused": ("record.read", ONE),
    "/held": ("record.read", ONE),
    "/doubles": ("record.read", ONE),
    "/import/{draft}": ("record.read", ONE),
    "/import/{draft}/rejects": ("import.rejects_read", LIST),
    "/inbox": ("inbox.listed", LIST),
    "/inbox/{item}": ("record.read", ONE),
    "/referrals": ("referrals.listed", LIST),
    "/referrals/{referral}": ("record.read", ONE),
    "/results": ("results.listed", LIST),
    "/results/{result}": ("record.read", WHY),
    "/people": ("people.listed", LIST),
    "/people/{person}": ("record.read", WHY),
    "/people/{person}/measures/{measure}": ("record.read", WHY),
    "/parked": ("record.read", ONE),
    "/turned-away": ("inbox.refused_listed", LIST),
    "/turned-away/{request}": ("inbox.refused_read", LIST),  # whose it is was never found out
    "/audit": ("audit.read", LIST),
    "/year": ("report.read", LIST),
}
OF_NOBODY = {  # before signing in, one's own account, counts, how hospitals and processes stand
    *("/", "/sign-in", "/second-factor", "/code", "/outside", "/outside/answer", "/events", "/day"),
    *("/import", "/hospitals", "/hospitals/{hospital}", "/hospitals/{hospital}/card"),
    *("/hospitals/{hospital}/plan", "/hospitals/{hospital}/mapping", "/trace", "/state"),
    *("/account", "/account/second-factor", "/accounts", "/accounts/{account}"),
}
LOOKS_BY_FORM = {"/people": "people.listed", "/trace": "record.read", "/audit": "audit.read"}


def test_each_page_is_in_the_table() -> None:
    assert {one.path for one in ROUTES if one.method == "GET"} == LOOKED.keys() | OF_NOBODY


@pytest.fixture(scope="module")
def busy(console: Console) -> Console:
    """Something stands on each page."""
    twin = AN.model_copy(update={"key": "CB-6", "name": "Ngô Văn Sinh", "national_id": DUC.national_id})
    put_records(console.adapter.engine, [twin])
    park(console, "CS-1-0-0")
    clerk = console.client("clerk")
    bad = ["CB-91", "Võ Văn Sai", "Nam", "?", "T4", ""]
    start(clerk, upload(clerk, book([["CB-90", "Trần Văn Thử", "Nam", "12/03/1960", "T5", ""], bad], "1,65")))
    upload(clerk, book([["CB-90", "Trần Văn Thử Lại", "Nam", "12/03/1960", "T5", ""]], ""))
    return console


@pytest.fixture(scope="module")
def visited(busy: Console) -> dict[str, tuple[str, CrawledPage]]:
    """A page of each address, with who is led there; of one where somebody is named if there is one."""
    found: dict[str, tuple[str, CrawledPage]] = {}
    for name in ("chief", StaffRole.CLERK, StaffRole.IT, StaffRole.HEAD, StaffRole.AUDITOR):
        for page in crawl(busy, name, each=2):
            found.setdefault(page.route.path, (name, page))
    return found


@pytest.mark.parametrize("path", sorted(LOOKED))
def test_a_look_is_a_row_that_says_who_whom_and_why(
    busy: Console, visited: dict[str, tuple[str, CrawledPage]], path: str
) -> None:
    name, page = visited[path]
    action, kind = LOOKED[path]
    name = StaffRole.IT if path == "/parked" else name  # who may see what the cells hold
    before = len(audit_rows(busy))
    assert busy.client(name).get(page.path).status_code == 200
    left = [one for one in audit_rows(busy)[before:] if one["action"] == action]
    assert left, "nobody knows that this was seen"
    for one in left:
        assert one["actor"] == f"staff:{name}"
        if kind != LIST:
            assert one["subject"], "about whom"
            assert "command" in str(one["details"])
        if kind == WHY:
            assert codec.loads(one["details"].encode())["why"] in LOOKS
        assert not any(person.name in str(one) or person.key in str(one) for person in PEOPLE)


def test_what_leaves_no_row_names_nobody(visited: dict[str, tuple[str, CrawledPage]]) -> None:
    silent = [page for path, (_, page) in visited.items() if path in OF_NOBODY]
    assert len(silent) > 9
    for page in silent:
        assert not any(person.name in page.answer.text for person in PEOPLE), page.path


@pytest.mark.parametrize("path", LOOKS_BY_FORM)
def test_what_is_looked_for_with_a_form_is_a_row_too(busy: Console, path: str) -> None:
    forms = {"/people": {"who": "đức"}, "/trace": {"key": "CS-1-0-0", "hospital": HOME}, "/audit": {}}
    before = len(audit_rows(busy))
    name = "doctor" if path == "/people" else "it"
    assert busy.client(name).post(path, data=forms[path] or {"who": "staff"}).status_code == 200
    assert (f"staff:{name}", LOOKS_BY_FORM[path]) in [
        (one["actor"], one["action"]) for one in audit_rows(busy)[before:]
    ]
