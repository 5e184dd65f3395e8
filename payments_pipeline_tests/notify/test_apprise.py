"""Services behind Apprise, over real HTTP: what they are told, what refusals mean, and that addresses stay secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from payments_pipeline.config import AlertChannel, Settings
from payments_pipeline.errors import ChannelGoneError, ConfigurationError, PermanentError, TransientError
from payments_pipeline.notify.apprise_channel import AppriseChannel
from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.channels import build_channels, delivery_plan
from payments_pipeline_tests.notify.conftest import GAP
from payments_pipeline_tests.notify.sink import Sink

MESSAGE = Message(7, "opened", "CRITICAL", GAP | {"finding_id": 3}, key="oncall:3:opened", thread=3)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def channel(sink: Sink) -> AppriseChannel:
    return AppriseChannel("oncall", sink.address, timeout=1.0)


def test_webhook_is_told_in_words_with_the_same_key_at_every_attempt(channel: AppriseChannel, sink: Sink) -> None:
    sink.answers = [500]
    with pytest.raises(TransientError):
        channel.send(MESSAGE)
    assert channel.send(MESSAGE) is None
    keys = {headers["Idempotency-Key"] for headers, _ in sink.calls}
    assert keys == {"payments_pipeline:oncall:3:opened"}
    _, body = sink.calls[1]
    assert body["title"] == "CRITICAL · Paid but not active"
    assert body["type"] == "failure"
    for line in ("User id: 17", "Amount: 19.99 USD", "Reason: webhook never came", "What to do: Check the webhook"):
        assert line in body["message"]
    assert body["message"].rstrip().endswith("finding 3 · episode 1 · notification 7")


def test_end_of_a_finding_is_good_news(channel: AppriseChannel, sink: Sink) -> None:
    channel.send(Message(8, "resolved", "CRITICAL", GAP | {"resolution": "Over."}, key="k", thread=3))
    assert sink.calls[0][1]["type"] == "success"
    assert sink.titles == ["Resolved · Paid but not active"]


@pytest.mark.parametrize(("status", "error"), [(500, TransientError), (503, TransientError), (404, ChannelGoneError),
                                               (401, ChannelGoneError), (410, ChannelGoneError)])  # fmt: skip
def test_refusals_are_told_apart(
    channel: AppriseChannel, sink: Sink, status: int, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sink.answers = [status]
    with pytest.raises(error, match=str(status)) as caught:
        channel.send(MESSAGE)
    assert "hush" not in f"{caught.value}{channel!r}"


def test_too_many_calls_are_waited_out(channel: AppriseChannel, sink: Sink) -> None:
    sink.answers = [429]
    with pytest.raises(TransientError) as caught:
        channel.send(MESSAGE)
    assert caught.value.retry_after


def test_service_that_does_not_listen_is_tried_again() -> None:
    with pytest.raises(TransientError):
        AppriseChannel("oncall", "json://127.0.0.1:9/hush", timeout=0.2).send(MESSAGE)


def test_pagerduty_knows_alert_and_end_as_one_incident() -> None:
    channel = AppriseChannel("oncall", f"pagerduty://{'i' * 32}@{'a' * 20}/source/component")
    service = channel._service()
    channel._identify(service, MESSAGE)
    assert (service.action, service.dedup) == ("map", "payments_pipeline:3")


def test_address_that_is_none_is_refused_without_quoting_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError, match="ALERT_CHANNELS") as caught:
        AppriseChannel("oncall", "nonsense://hush")
    assert "hush" not in str(caught.value)


def test_channels_stand_in_for_each_other_in_the_order_of_settings(settings: Settings) -> None:
    more = tuple(
        AlertChannel(name=name, url=SecretStr("json://127.0.0.1:9/x"), min_severity="HIGH") for name in ("b", "a")
    )
    webhook = SecretStr("https://discord.com/api/webhooks/1/hush")
    own = settings.model_copy(update={"discord_webhook_url": webhook, "alert_channels": more})
    assert list(build_channels(own)) == ["discord", "b", "a"]
    assert delivery_plan(own).routes["a"].min_severity == "HIGH"
    with pytest.raises(PermanentError, match="Two channels"):
        build_channels(own.model_copy(update={"alert_channels": (more[0], more[0])}))


@pytest.mark.parametrize(
    ("address", "word", "is_text"),
    [
        ("mailto://kim:hush@example.com?to=ops@example.com", "Reason: <a href='http://evil.example'>Log in</a>", True),
        ("mailto://kim:hush@example.com?format=html", "&lt;a", False),
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
            "&lt;a href='http://evil.example'&gt;",
            False,
        ),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "&lt;a href='http://evil.example'&gt;", False),
        (f"discord://{'1' * 18}/{'a' * 60}", "]\u200b(http://evil.example)", True),
    ],
)
def test_what_a_message_quotes_calls_nobody_and_is_no_markup_in_any_service(
    address: str, word: str, is_text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def take(body: str, **_: object) -> bool:
        sent.append(body)
        return True

    channel = AppriseChannel("oncall", address)
    service = channel._service()
    monkeypatch.setattr(service, "send", take)
    monkeypatch.setattr(channel, "_service", lambda: service)
    hostile = "<a href='http://evil.example'>Log in</a> <!channel> <@U123> @everyone @Here [x](http://evil.example)"
    evidence = {"user_id": 17, "reason": hostile, "plan": "<b>Pro</b>"}
    channel.send(Message(7, "opened", "HIGH", {"report": "activation_gaps", "why": "No.", "evidence": evidence}))
    (body,) = sent
    assert word in body
    for live in ("<!", "<@", "@everyone", "@Here", "&lt;!", "&lt;@", "]("):
        assert live not in body
    assert ("<b>Pro" in body) is is_text
    lines = body.replace("<br/>", "\n").replace("<br />", "\n").replace("&nbsp;", " ").splitlines()
    assert any(line.startswith("User id: 17") for line in lines), "line breaks are kept"
