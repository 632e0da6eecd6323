"""Attacks on the console: on each address that there is, with every role and method, and on what each role
may know. What is new among the routes is attacked by itself.
"""

import re
import secrets

import httpx
import pytest
from console_centre import PEOPLE, SECRET, Console, now
from console_crawl import CrawledPage, crawl, route_of
from sqlalchemy import select

from adapter.authorization.staff_accounts import reset_account
from adapter.authorization.staff_roles import Permission, StaffRole
from adapter.authorization.staff_tables import staff_session
from adapter.database import read_transaction, write_transaction
from adapter.web.console.app import COOKIE
from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "ba bông hoa cúc vàng"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Who may what, said once more: what is changed in one place alone is a mistake.
_CLINIC = "clerk nurse doctor head"
WHO_MAY = {
    Permission.OWN_ACCOUNT: "clerk nurse doctor it head auditor",
    Permission.SEE_DAY: _CLINIC,
    Permission.IMPORT_RECORDS: "clerk",
    Permission.LINK_RESULTS: "clerk nurse doctor",
    Permission.SEE_RESULTS: _CLINIC,
    Permission.ACKNOWLEDGE_RESULTS: "doctor",
    Permission.SEE_PEOPLE: _CLINIC,
    Permission.SEE_REFERRALS: _CLINIC,
    Permission.ACT_ON_REFERRALS: "clerk nurse doctor",
    Permission.SEE_HOSPITALS: "clerk it head",
    Permission.RUN_HOSPITALS: "it",
    Permission.ACCEPT_MAPPINGS: "it",
    Permission.TRACE_VALUES: "it",
    Permission.DECIDE_REFUSED: "clerk it",
    Permission.SEE_AUDIT: "it auditor",
    Permission.SEE_YEAR: "doctor head auditor",
    Permission.EXPORT_YEAR: "head",
    Permission.MANAGE_ACCOUNTS: "it head",
}
FOR_EVERYBODY = {  # where nobody need be signed in; all else asks for a permission
    *(("GET", "/"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out")),
    *(("GET", "/second-factor"), ("POST", "/second-factor"), ("GET", "/code"), ("POST", "/code")),
    *(("GET", "/outside"), ("GET", "/outside/answer")),
}
GUARDED = [one for one in ROUTES if one.permission is not None]


def named(route: ConsoleRoute) -> str:
    return f"{route.method} {route.path}"


def somewhere(route: ConsoleRoute) -> str:
    """Its address, with tokens that nobody made."""
    return re.sub(r"\{\w+\}", lambda _: secrets.token_urlsafe(24), route.path)


def test_every_page_but_those_before_signing_in_asks_for_a_permission() -> None:
    assert {(one.method, one.path) for one in ROUTES if one.permission is None} == FOR_EVERYBODY
    assert set(WHO_MAY) == set(Permission)


@pytest.fixture(scope="module")
def by_role(console: Console) -> dict[str, httpx.Client]:
    return {role: console.client(role) for role in StaffRole}


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_each_role_may_what_the_table_says_at_each_address(
    console: Console, by_role: dict[str, httpx.Client], route: ConsoleRoute
) -> None:
    assert route.permission is not None
    for role, client in by_role.items():
        with client.stream(route.method, somewhere(route), headers=FORM) as answer:
            if "text/event-stream" in answer.headers.get("content-type", ""):
                assert role in WHO_MAY[route.permission].split()
                continue  # it has no end
            answer.read()
        assert answer.status_code < 500, (role, answer.text)
        allowed = role in WHO_MAY[route.permission].split()
        assert (answer.status_code != 403) is allowed, (role, answer.status_code)
        if not allowed:
            assert not any(one.name in answer.text for one in PEOPLE)


@pytest.mark.parametrize("path", sorted({one.path for one in ROUTES}))
def test_an_address_knows_its_own_methods_alone(by_role: dict[str, httpx.Client], path: str) -> None:
    known = {one.method for one in ROUTES if one.path == path}
    for method in METHODS:
        if method not in known:
            for client in by_role.values():
                address = re.sub(r"\{\w+\}", "x" * 30, path)
                answered = client.request(method, address, headers=FORM)
                fits = route_of(address, method)  # another address of the same form
                assert answered.status_code == 405 or fits is not None, (method, answered.status_code)


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_who_is_not_signed_in_is_led_to_sign_in(console: Console, route: ConsoleRoute) -> None:
    answer = console.client().request(route.method, somewhere(route), headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert answer.content == b""


@pytest.mark.parametrize("route", [one for one in ROUTES if one.method == "POST"], ids=named)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_no_other_site_sends_a_form(
    console: Console, by_role: dict[str, httpx.Client], route: ConsoleRoute, origin: str
) -> None:
    """Cross-site request forgery: whoever is led there by another site, signed in as what may do it."""
    before = len(console.audit())
    roles = WHO_MAY[route.permission].split() if route.permission else ["clerk"]
    client = by_role[roles[0]]
    headers = {**FORM, "Origin": origin} if origin else {**FORM, "Sec-Fetch-Site": "cross-site"}
    request = client.build_request("POST", somewhere(route), headers=headers)
    if not origin:
        del request.headers["Origin"]
    assert client.send(request).status_code == 403
    assert len(console.audit()) == before
    assert client.get("/").headers["location"] != "/sign-in", "and is still signed in"


def test_a_session_that_was_put_into_the_browser_is_not_the_one_that_is_opened(console: Console) -> None:
    """Session fixation."""
    victim = console.client()
    planted = secrets.token_urlsafe(32)
    victim.cookies.set(COOKIE, planted, domain="127.0.0.1")
    victim.get("/sign-in")
    assert victim.post("/sign-in", data={"name": "clerk", "password": "wrong"}).status_code in (403, 429)
    attacker = console.client()
    attacker.cookies.set(COOKIE, planted, domain="127.0.0.1")
    assert attacker.get("/").headers["location"] == "/sign-in"
    code = reset_code(console, "it")
    opened = {"code": code, "name": "it", "password": PASSWORD, "again": PASSWORD}
    assert victim.post("/code", data=opened).headers["location"] == "/"
    assert victim.cookies[COOKIE] != planted
    assert attacker.get("/").headers["location"] == "/sign-in"


def reset_code(console: Console, name: str) -> str:
    """A one-time code of this account."""
    with write_transaction(console.adapter.engine) as connection:
        return reset_account(connection, name, now(), by="test")


def test_a_cookie_is_good_for_this_site_alone_and_for_no_script(console: Console) -> None:
    form = {"code": reset_code(console, "it"), "name": "it", "password": PASSWORD, "again": PASSWORD}
    said = console.client().post("/code", data=form).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {one.strip() for one in said.split(";")}
    with read_transaction(console.adapter.engine) as connection:
        stored = str(connection.execute(select(staff_session)).all())
    assert said.partition("=")[2].partition(";")[0] not in stored.lower(), "a copy of the database opens none"


def test_guessing_at_a_password_soon_takes_long(console: Console) -> None:
    """And while one waits not even the right one is looked at."""
    form = {"code": reset_code(console, "auditor"), "name": "auditor", "password": PASSWORD}
    assert console.client().post("/code", data={**form, "again": PASSWORD}).status_code == 303
    client = console.client()
    wrong = [client.post("/sign-in", data={"name": "auditor", "password": f"sai {n}"}) for n in range(8)]
    assert wrong[0].status_code == 403
    assert wrong[-1].status_code == 429
    assert int(wrong[-1].headers["retry-after"]) > 0
    right = client.post("/sign-in", data={"name": "auditor", "password": PASSWORD})
    assert right.status_code == 429
    assert COOKIE not in right.cookies


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "\r\nX: y"])
def test_no_address_of_ours_leads_elsewhere(console: Console, back: str) -> None:
    """Open redirect: by what was asked, sent or said as host."""
    client = console.client("clerk")
    for field in ("back", "next", "language", "done", "to"):
        answer = client.post("/language", data={"language": "vi", field: back})
        assert re.fullmatch(r"/(?![/\\]).*|", answer.headers.get("location", "")), field
        answer = client.get("/", params={field: back})
        assert re.fullmatch(r"/(?![/\\]).*|", answer.headers.get("location", "")), field
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.fixture(scope="module")
def of_chief(console: Console) -> list[CrawledPage]:
    """What a doctor sees who sees T1 people."""
    return list(crawl(console, "chief"))


@pytest.fixture(scope="module", params=list(StaffRole))
def of_role(console: Console, request: pytest.FixtureRequest) -> list[CrawledPage]:
    return list(crawl(console, request.param))


def test_t1_people_do_not_exist_for_who_does_not_see_them(of_role: list[CrawledPage]) -> None:
    for one in of_role:
        assert SECRET.name not in one.answer.text, one.path
        assert SECRET.key not in one.answer.text, one.path


def test_where_a_t1_person_is_nothing_is_for_others(console: Console, of_chief: list[CrawledPage]) -> None:
    """Whoever is handed the address of what he may not see: the answer is that of no such thing."""
    for one in of_chief:
        if SECRET.name in one.answer.text and "{" in one.route.path:
            for role in StaffRole:
                answer = console.client(role).get(one.path)
                unknown = console.client(role).get(somewhere(one.route))
                assert answer.status_code == unknown.status_code, (role, one.path)
                assert answer.status_code in (403, 404), (role, one.path)
                assert SECRET.name not in answer.text


def test_a_token_of_one_kind_opens_no_page_of_another(console: Console, of_chief: list[CrawledPage]) -> None:
    """Insecure direct object references: what names a result names no person."""
    tokens = {part for one in of_chief for part in one.path.split("?")[0].split("/") if len(part) > 30}
    client = console.client("chief")
    own = {one.path.partition("?")[0] for one in of_chief}
    for route in ROUTES:
        if route.method == "GET" and route.path.count("{") == 1:
            for token in sorted(tokens)[:12]:
                path = re.sub(r"\{\w+\}", token, route.path)
                answer = client.get(path)
                assert path in own or answer.status_code in (200, 303, 403, 404), (path, answer.status_code)
                broken = path[:-2] + ("A" if path[-2] != "A" else "B") + path[-1]
                assert client.get(broken).status_code in (403, 404), broken


def test_nothing_personal_is_in_an_address_or_title(of_role: list[CrawledPage]) -> None:
    known = {word for one in PEOPLE for word in (one.key, one.name, one.national_id or one.key)}
    for one in of_role:
        if "text/html" in one.answer.headers["content-type"]:
            addresses = re.findall(r'(?:href|action|src|hx-get|hx-post)="([^"]*)"', one.answer.text)
            head = one.answer.text.partition("</head>")[0]  # a chart's points have titles too
            title = re.findall(r"<title>(.*?)</title>", head, re.S)
            assert len(title) == 1
            for said in (*addresses, *title):
                assert not any(word in said for word in known), (one.path, said)


def test_every_answer_says_what_the_browser_must_not_do(of_role: list[CrawledPage]) -> None:
    for one in of_role:
        headers = one.answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store", one.path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"  # to nobody else; with none a form has no origin
        if "text/html" in headers["content-type"]:
            assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", one.answer.text), one.path
            assert not re.search(r"<script(?![^>]*\ssrc=)", one.answer.text), one.path


def test_whoever_sees_somebody_is_in_the_audit(console: Console, of_chief: list[CrawledPage]) -> None:
    """Each view of a page of one person leaves a row: who."""
    client = console.client("chief")
    for one in of_chief:
        if "{" in one.route.path and any(person.name in one.answer.text for person in PEOPLE):
            before = len(console.audit())
            assert client.get(one.path).status_code == 200
            rows = [row for row in console.audit()[before:] if row[0] == "staff:chief"]
            assert rows, f"nobody knows that this was seen: {one.route.path}"
