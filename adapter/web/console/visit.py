"""What a page's handler gets, and what a page is: asked for at an address, by somebody who may."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Protocol

from starlette.responses import Response

from adapter.authorization.identity_provider import IdentityProvider
from adapter.authorization.opaque_tokens import OpaqueTokens
from adapter.authorization.staff_accounts import StaffAccount
from adapter.authorization.staff_roles import Permission
from adapter.authorization.staff_sessions import StaffSession, put_notice, take_notice
from adapter.insights.insights import Insights
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.texts import has_text, say_in
from adapter.web.console.rendering import Renderer
from adapter.web.login_delays import LoginDelays
from adapter.web.sent_forms import SentForm

__all__ = ["SMALL", "ChangeNews", "ConsoleRoute", "ForbiddenError", "Handler", "NotHereError", "Visit"]

SMALL: Final = 200_000
"""Bytes of a form without a file."""


class NotHereError(Exception):
    """There is no such thing, or not for whoever asks: the answer is the same."""


class ForbiddenError(Exception):
    """Whoever asks may not do this."""


class ChangeNews(Protocol):
    """Tells pages that something has changed (`events`)."""

    @property
    def is_full(self) -> bool:
        """Whether nobody more may listen."""

    def changes(self) -> AsyncIterator[bytes]:
        """The stream of one listener."""


@dataclass(frozen=True)
class Visit:
    """A visit of the console: one request, of which the session, the permission and where it came from are
    checked. Nobody is signed in where `session` is None: at pages that ask for no permission.
    """

    adapter: Adapter
    clock: Callable[[], datetime]
    renderer: Renderer
    tokens: OpaqueTokens
    language: str
    here: str
    """The address without what was asked; of a POST the one that was posted to."""
    session: StaffSession | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    """What stands in the address for its `{names}`."""
    query: Mapping[str, str] = field(default_factory=dict)
    form: SentForm = field(default_factory=SentForm)
    address: str = "unknown"
    """Whence it came; for counts, never shown."""
    menu: tuple["ConsoleRoute", ...] = ()
    """The pages of the menu that whoever is signed in may open."""
    watch: ChangeNews | None = None
    delays: LoginDelays = field(default_factory=LoginDelays)
    set_cookie: Callable[[Response, str], None] = lambda _response, _token: None
    cookies: Mapping[str, str] = field(default_factory=dict)
    is_secure: bool = False
    """Whether browsers see the console over TLS."""
    provider: IdentityProvider | None = None
    """The centre's own sign-in, where it has one."""

    @property
    def account(self) -> StaffAccount:
        """Who is signed in. Raises ForbiddenError where nobody is."""
        if self.session is None:
            raise ForbiddenError
        return self.session.account

    def may(self, permission: Permission) -> bool:
        """Whether whoever is signed in may do this."""
        return self.session is not None and permission in self.session.account.permissions

    def require(self, permission: Permission) -> None:
        """Raises ForbiddenError where that is not so."""
        if not self.may(permission):
            raise ForbiddenError

    # -- what is asked and done ------------------------------------------------------------

    @cached_property
    def insights(self) -> Insights:
        """The read side, as whoever is signed in: the audit says who looked."""
        return Insights(self.adapter, self.account.actor, self.clock)

    @cached_property
    def operations(self) -> OperationContext:
        """In which operations are performed: `operation.perform(visit.operations, version_seen)`."""
        return OperationContext(self.adapter, self.account.actor, self.clock)

    # -- addresses -------------------------------------------------------------------------

    def opaque(self, kind: str, key: str | int) -> str:
        """A word for a record's key that an address may have: it says nothing, the same for everybody."""
        return self.tokens.hide(kind, str(key))

    def key_of(self, kind: str, token: str) -> str:
        """The key again. Raises NotHereError for a word that is none of that kind."""
        found = self.tokens.show(kind, token)
        if found is None:
            raise NotHereError
        return found

    def number_of(self, kind: str, token: str) -> int:
        """The same of what has a number."""
        found = self.key_of(kind, token)
        if not (found.isascii() and found.isdigit() and len(found) < 19):
            raise NotHereError
        return int(found)

    def page_number(self) -> int:
        """Which page of a list is asked for, the first being 1: `?page=`."""
        asked = self.query.get("page", "1")
        return max(int(asked), 1) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1

    # -- answers ---------------------------------------------------------------------------

    def t(self, key: str, /, **params: Any) -> str:
        """A text in the language of whoever asks."""
        return say_in(self.language, key, **params)

    def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        """The page that this template of `templates/` makes of these facts. Besides them it knows `visit`,
        `t`, `day`, `moment`, `notice`, and all of `macros.html` as `ui`.
        """
        known = {"visit": self, "t": self.t, "notice": self._notice()}
        return self.renderer.page(self.language, template, status, {**known, **facts})

    def _notice(self) -> str:
        """What the page before left to be said, once."""
        if self.session is None or not self.session.has_notice:
            return ""
        taken = take_notice(self.adapter.engine, self.session)
        return self.t(taken[0], **taken[1]) if taken and has_text(taken[0]) else ""

    def redirect(self, path: str, notice: str = "", /, **params: Any) -> Response:
        """After a POST: go to `path` (303), where the text `notice`, filled with `params`, is said first."""
        if notice and self.session is not None:
            put_notice(self.adapter.engine, self.session, notice, params)
        return Response(status_code=303, headers={"Location": path})

    def file(self, content: bytes, media_type: str, name: str) -> Response:
        """A file to keep. Nothing personal may stand in its name, which is of ASCII letters."""
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, 200, headers, media_type)


Handler = Callable[[Visit], Response]


@dataclass(frozen=True)
class ConsoleRoute:
    """`handler` answers `method` at `path` (`/people/{person}`) for whoever has `permission`; None: for
    everybody, signed in or not. With `menu`, the key of a text, it stands in the menu. What a browser
    asks for by itself is no use of a session (`is_use`). `max_bytes`: of a form.
    """

    method: str
    path: str
    handler: Handler
    permission: Permission | None
    menu: str = ""
    is_use: bool = True
    max_bytes: int = SMALL
