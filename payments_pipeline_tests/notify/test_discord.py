"""One call to Discord: its address, what each answer means, and that the webhook's token stays secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from payments_pipeline.config import Settings
from payments_pipeline.errors import (
    ChannelGoneError,
    ConfigurationError,
    MessageGoneError,
    PaymentsPipelineError,
    TransientError,
    UnclearOutcomeError,
)
from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.channels import build_channels
from payments_pipeline.notify.discord import DEFAULT_WAIT, DiscordChannel, _own_id, _seconds
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import DiscordState
from payments_pipeline_tests.notify.conftest import GAP, shown

MESSAGE = Message(7, "opened", "CRITICAL", GAP)
TOKEN = DiscordState().webhook_token


@pytest.fixture
def channel(sandbox: Sandbox) -> Iterator[DiscordChannel]:
    url = f"https://discord.com/api/v10/webhooks/{sandbox.state.discord.webhook_id}/{TOKEN}"
    channel = DiscordChannel(url, sandbox.discord_base, timeout=0.3)
    yield channel
    channel.close()


def test_other_base_address_replaces_discords(channel: DiscordChannel, sandbox: Sandbox) -> None:
    message_id = channel.send(MESSAGE)
    assert message_id in sandbox.state.discord.messages
    channel.edit(str(message_id), MESSAGE)
    assert [request.method for request in sandbox.requests] == ["POST", "PATCH"]
    assert sandbox.requests[0].query == "wait=true"


def test_address_without_other_base_is_used_as_it_stands(sandbox: Sandbox) -> None:
    channel = DiscordChannel(sandbox.environment()["DISCORD_WEBHOOK_URL"] + "?thread_id=55")
    channel.send(MESSAGE)
    channel.close()
    assert sandbox.requests[0].query == "wait=true&thread_id=55"


@pytest.mark.parametrize("address", ["", "discord.com", "https://discord.com/api/webhooks/1", "/webhooks/1/hush"])
def test_malformed_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(ConfigurationError, match="DISCORD_WEBHOOK_URL") as caught:
        DiscordChannel(address)
    assert "hush" not in str(caught.value)


def test_rate_limit_says_how_long(channel: DiscordChannel, sandbox: Sandbox) -> None:
    sandbox.faults.rate_limit("discord", retry_after=0.35)
    with pytest.raises(TransientError) as caught:
        channel.send(MESSAGE)
    assert caught.value.retry_after == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("1e12", 3600.0), pytest.param(10**400, None, id="huge"), ("inf", None), ("-4", 0.0), (True, None), (0.35, 0.35)],
)
def test_no_number_that_discord_says_silences_its_channel_for_long(said: object, seconds: float | None) -> None:
    assert _seconds(said) == seconds


def test_rate_limit_of_the_edge_that_says_nothing_is_waited_out_all_the_same(
    channel: DiscordChannel, sandbox: Sandbox
) -> None:
    sandbox.faults.rate_limit("discord")
    with pytest.raises(TransientError) as caught:
        channel.send(MESSAGE)
    assert caught.value.retry_after == DEFAULT_WAIT


def test_removed_message_and_removed_webhook_are_told_apart(channel: DiscordChannel, sandbox: Sandbox) -> None:
    with pytest.raises(MessageGoneError):
        channel.edit("1", MESSAGE)
    sandbox.state.discord.gone = True
    with pytest.raises(ChannelGoneError):
        channel.edit("1", MESSAGE)


def test_time_out_leaves_it_open_whether_the_message_is_shown(channel: DiscordChannel, sandbox: Sandbox) -> None:
    sandbox.faults.hang("discord", seconds=2, applied=True)
    with pytest.raises(UnclearOutcomeError):
        channel.send(MESSAGE)
    assert len(shown(sandbox)) == 1


@pytest.mark.parametrize("kind", ["rate_limited", "server_error", "unauthorized", "forbidden", "hang", "cut_body"])
def test_token_never_shows_in_errors_or_logs(
    channel: DiscordChannel, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.faults.add(Fault("discord", kind, seconds=2))  # type: ignore[arg-type]
    said = repr(channel)
    try:
        channel.send(MESSAGE)
    except PaymentsPipelineError as error:
        said += f"{error} {error!r} {error.__cause__!r} {error.__suppress_context__ or error.__context__}"
    assert "/webhooks/" in caplog.text or kind == "hang"
    assert TOKEN not in said + caplog.text


def test_token_does_not_show_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    channel = DiscordChannel("http://127.0.0.1:9/api/webhooks/1/hush", timeout=0.2)
    with pytest.raises(TransientError) as caught:
        channel.send(MESSAGE)
    channel.close()
    assert "hush" not in f"{caught.value}{caplog.text}"


def test_channels_come_from_settings(settings: Settings) -> None:
    assert build_channels(settings) == {}
    webhook = SecretStr("https://discord.com/api/webhooks/1/hush")
    assert list(build_channels(settings.model_copy(update={"discord_webhook_url": webhook}))) == ["discord"]


def test_answer_that_was_cut_still_tells_which_message_it_was(channel: DiscordChannel, sandbox: Sandbox) -> None:
    sandbox.faults.cut_body("discord")
    message_id = channel.reserve(MESSAGE)
    assert list(sandbox.state.discord.messages) == [message_id]


def test_discarding_a_message_twice_is_harmless(channel: DiscordChannel, sandbox: Sandbox) -> None:
    message_id = channel.reserve(MESSAGE)
    channel.discard(message_id)
    channel.discard(message_id)
    assert shown(sandbox) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"id": "12", "x', "12"),
        ('{"author": {"id": "9"}, "embeds": [{"id": "8"}], "id":"12"', "12"),
        ('{"content": "\\"id\\": \\"7\\"", "id": "12"', "12"),
        ('{"author": {"id": "9"', None),
        ('{"id": "1', None),
        ("error code: 1015", None),
    ],
)
def test_only_the_id_of_the_message_itself_counts(text: str, found: str | None) -> None:
    assert _own_id(text) == found


def test_edit_that_is_answered_without_the_message_is_not_believed(channel: DiscordChannel, sandbox: Sandbox) -> None:
    message_id = channel.reserve(MESSAGE)
    sandbox.faults.add(Fault("discord", "empty_body", method="PATCH"))
    with pytest.raises(UnclearOutcomeError):
        channel.edit(message_id, MESSAGE)
    assert shown(sandbox)[0]["embeds"] == []
