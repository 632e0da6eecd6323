"""Problems are told: by webhook and by e-mail, once when they begin, again when they grow or last, and when
they end. Counts and hospitals' names only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import orjson

from adapter import audit
from adapter.delivery.http.client import post_json
from adapter.delivery.mail import send_mail
from adapter.errors import SettingsError
from adapter.insights.problems import CHANNEL_PREFIX, Problem, current_problems
from adapter.ledger.monitoring.alarms import AlarmChanges, AlarmKey, AlarmState, compare_alarms
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.application import Adapter
from adapter.service_hours import VIETNAM_ZONE
from adapter.settings import AlarmSettings
from adapter.telemetry import get_logger
from adapter.texts import escaped_json, printable, say

__all__ = [
    "AlarmRun",
    "Channel",
    "SendAlarms",
    "TestChannels",
    "alarm_channels",
    "mail_audit_head",
    "send_alarms",
    "test_channels",
]

_SECONDS = 15.0  # for one webhook
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AlarmMessage:
    """What is told: in words, and as plain facts."""

    subject: str
    text: str
    facts: Mapping[str, object]


Channel = Callable[[AlarmMessage], str | None]
"""Sends a message: None when it went, else what went wrong, in a word."""


@dataclass(frozen=True, slots=True)
class AlarmRun:
    """What one look came to. `failed`: way -> what went wrong."""

    problems: tuple[Problem, ...]
    told: bool
    failed: Mapping[str, str]


def send_alarms(adapter: Adapter, now: datetime) -> AlarmRun:
    """Look for problems and tell what is new. Told is what went by one way at least; what went by none is
    tried again next time. Raises nothing for what a mail server or a webhook does.
    """
    found = tuple(current_problems(adapter, now))
    before = adapter.alarm_store.all()
    troubles = {one.key: (one.since, one.count) for one in found}
    news = compare_alarms(before, troubles, now, timedelta(hours=adapter.settings.alarm.repeat_hours))
    if not news.is_news or not alarm_channels(adapter):
        adapter.alarm_store.put(news.alarms, before)
        return AlarmRun(found, False, {})
    _note(news, found)
    failed = _send(adapter, _message(adapter, news, found, before))
    told = len(failed) < len(alarm_channels(adapter))
    after = news.after_sending(now) if told else news.after_failed_sending(before)
    adapter.alarm_store.put(_with_ways(after, failed, now), before)
    return AlarmRun(found, told, failed)


def test_channels(adapter: Adapter, now: datetime) -> dict[str, str | None]:
    """Send a test by every way: way -> None, or what went wrong."""
    centre = adapter.settings.centre.name
    message = AlarmMessage(
        say("alarm.test_subject", centre=centre),
        say("alarm.test_text", centre=centre),
        {"test": True, "at": now.isoformat(), "centre": centre},
    )
    failed = _send(adapter, message)
    return {name: failed.get(name) for name in alarm_channels(adapter)}


def mail_audit_head(adapter: Adapter, now: datetime) -> None:
    """Send the audit's newest number and hash by e-mail, if the settings name one: who keeps the mails can
    say later whether the audit still leads there.
    """
    if adapter.settings.alarm.mail is None:
        return
    head, centre = audit.newest(adapter.engine), adapter.settings.centre.name
    at = now.astimezone(VIETNAM_ZONE).strftime("%Y-%m-%d %H:%M")
    message = AlarmMessage(
        say("audit.mail_subject", centre=centre, seq=head.seq),
        say("audit.mail_text", centre=centre, at=at, seq=head.seq, hash=head.hash),
        {},
    )
    try:
        failed = _mail(adapter, adapter.settings.alarm, message)
    except SettingsError:
        failed = "secret"
    if failed:
        _log.warning("alarm.not_sent", stage="mail", reason=failed)


def alarm_channels(adapter: Adapter) -> dict[str, Channel]:
    """The ways that the settings name: webhook, mail."""
    limits = adapter.settings.alarm
    found: dict[str, Channel] = {}
    if limits.webhook:
        found["webhook"] = lambda message: _webhook(adapter, limits, message)
    if limits.mail:
        found["mail"] = lambda message: _mail(adapter, limits, message)
    return found


@dataclass(frozen=True)
class SendAlarms(Operation[tuple[Problem, ...], AlarmRun]):
    """Look for problems once and tell what is new. Nothing undoes it."""

    name: ClassVar[str] = "alarms.send"
    audited_as: ClassVar[tuple[str, ...]] = ()

    def look(self, context: OperationContext) -> tuple[Problem, ...]:
        """The problems that there are."""
        return tuple(current_problems(context.adapter, context.clock()))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> AlarmRun:
        """Tell what is new by every way."""
        unchanged()
        return send_alarms(context.adapter, context.clock())


@dataclass(frozen=True)
class TestChannels(Operation[tuple[str, ...], Mapping[str, str | None]]):
    """Send a test by every way of the settings: way -> None, or what went wrong. Nothing undoes it."""

    name: ClassVar[str] = "alarms.test"
    audited_as: ClassVar[tuple[str, ...]] = ()
    __test__: ClassVar[bool] = False  # pytest takes it for a test by its name

    def look(self, context: OperationContext) -> tuple[str, ...]:
        """The ways that the settings name."""
        return tuple(alarm_channels(context.adapter))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> Mapping[str, str | None]:
        """Send it."""
        unchanged()
        return test_channels(context.adapter, context.clock())


def _send(adapter: Adapter, message: AlarmMessage) -> dict[str, str]:
    failed: dict[str, str] = {}
    message = AlarmMessage(
        " ".join(printable(message.subject).split()), printable(message.text), message.facts
    )
    for name, way in alarm_channels(adapter).items():
        try:
            why = way(message)
        except SettingsError:
            why = "secret"
        if why is not None:
            failed[name] = why
            _log.warning("alarm.not_sent", stage=name, reason=why)
    return failed


def _webhook(adapter: Adapter, limits: AlarmSettings, message: AlarmMessage) -> str | None:
    url = limits.webhook or ""
    if url.startswith(("env:", "file:")):
        url = adapter.settings.secret(url).get_secret_value()
    token = adapter.settings.secret(limits.webhook_token).get_secret_value() if limits.webhook_token else None
    told = orjson.dumps({"subject": message.subject, "text": message.text, **message.facts})
    status, _ = post_json(
        url, escaped_json(told.decode()).encode(), token, _SECONDS, media="application/json"
    )
    return None if 200 <= status < 300 else f"HTTP {status}" if status else "unreachable"


def _mail(adapter: Adapter, limits: AlarmSettings, message: AlarmMessage) -> str | None:
    mail = limits.mail
    if mail is None:
        return None
    password = adapter.settings.secret(mail.password).get_secret_value() if mail.password else None
    return send_mail(
        message.subject,
        message.text,
        host=mail.host,
        port=mail.port,
        starttls=mail.starttls,
        user=mail.user,
        password=password,
        sender=mail.sender,
        to=mail.to,
    )


def _note(news: AlarmChanges, found: Sequence[Problem]) -> None:
    for one in found:
        if one.key in news.began:
            _log.warning(
                "alarm.began", code=one.code, reason=one.cause, hospital=one.hospital, count=one.count
            )
    for hospital, code in news.ended:
        _log.info("alarm.ended", code=code, hospital=hospital)


def _with_ways(
    bells: Mapping[AlarmKey, AlarmState], failed: Mapping[str, str], now: datetime
) -> dict[AlarmKey, AlarmState]:
    """A way that does not work is a problem of its own, told by the other."""
    others = {key: bell for key, bell in bells.items() if not key[1].startswith(CHANNEL_PREFIX)}
    keys = [("", f"{CHANNEL_PREFIX}{name}") for name in failed]
    return {**others, **{key: bells.get(key) or AlarmState(now, 1) for key in keys}}


def _message(
    adapter: Adapter, news: AlarmChanges, found: Sequence[Problem], before: Mapping[AlarmKey, AlarmState]
) -> AlarmMessage:
    centre = adapter.settings.centre.name
    by_key = {one.key: one for one in found}
    parts = {
        "began": [by_key[key] for key in news.began],
        "goes_on": [by_key[key] for key in news.again],
    }
    lines = [
        line
        for title, listed in parts.items()
        if listed
        for line in (say(f"alarm.{title}"), *(_line(one) for one in listed), "")
    ]
    if news.ended:
        lines += [say("alarm.ended"), *(_ended(key, before[key]) for key in news.ended), ""]
    lines.append(say("alarm.see"))
    subject = say(
        "alarm.subject", centre=centre, began=len(news.began), goes_on=len(news.again), ended=len(news.ended)
    )
    facts = {title: [_facts(one) for one in listed] for title, listed in parts.items()}
    ended = [{"hospital": hospital, "code": code} for hospital, code in news.ended]
    return AlarmMessage(subject, "\n".join(lines), {"centre": centre, **facts, "ended": ended})


def _line(one: Problem) -> str:
    since = one.since.astimezone(VIETNAM_ZONE).strftime("%Y-%m-%d %H:%M") if one.since else "-"
    where = one.hospital or say("alarm.here")
    return f"- {where}: {one.words} ({say('alarm.since', since=since)}) -> {one.command}"


def _ended(key: AlarmKey, bell: AlarmState) -> str:
    since = bell.since.astimezone(VIETNAM_ZONE).strftime("%Y-%m-%d %H:%M")
    return f"- {key[0] or say('alarm.here')}: {key[1]} ({say('alarm.since', since=since)})"


def _facts(one: Problem) -> dict[str, object]:
    return {
        "hospital": one.hospital,
        "code": one.code,
        "cause": one.cause,
        "since": one.since.isoformat() if one.since else None,
        "count": one.count,
        "words": one.words,
        "command": one.command,
    }
