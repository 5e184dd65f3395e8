"""The simulated Discord, written to by discord.py's SyncWebhook and by plain requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from payments_pipeline.sandbox.failures import FaultPlan, RateLimit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


def webhook_url(sandbox: Sandbox) -> str:
    return sandbox.environment()["DISCORD_WEBHOOK_URL"]


def post(sandbox: Sandbox, payload: dict[str, Any], wait: str = "true") -> requests.Response:
    return requests.post(webhook_url(sandbox), params={"wait": wait}, json=payload, timeout=5)


def embed_with(**changes: Any) -> dict[str, Any]:
    return {"embeds": [{"title": "Gap", "color": 0xED4245} | changes]}


# discord.py's voice module, which nobody asked for, warns on import.
@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_sync_webhook_sends_edits_reads_and_deletes(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import discord
    from discord.http import Route

    sandbox.load(SandboxState())
    monkeypatch.setattr(Route, "BASE", f"{sandbox.discord_base}/v10")
    with requests.Session() as session:
        webhook = discord.SyncWebhook.partial(
            int(sandbox.state.discord.webhook_id), sandbox.state.discord.webhook_token, session=session
        )
        embed = discord.Embed(title="Gap", description="Paid, not active", colour=0xED4245)
        message = webhook.send(embed=embed, allowed_mentions=discord.AllowedMentions.none(), wait=True)
        stored = sandbox.state.discord.messages[str(message.id)]
        assert stored["embeds"][0]["title"] == "Gap"
        assert stored["allowed_mentions"] == {"parse": []}
        webhook.edit_message(message.id, content="Resolved", embeds=[])
        assert (stored["content"], stored["embeds"], stored["edits"]) == ("Resolved", [], 1)
        assert webhook.fetch_message(message.id).content == "Resolved"
        webhook.delete_message(message.id)
        assert sandbox.state.discord.messages == {}
        with pytest.raises(discord.NotFound):
            webhook.fetch_message(message.id)


def test_without_wait_there_is_no_body(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState())
    answer = post(sandbox, {"content": "hello"}, wait="false")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [message["content"] for message in sandbox.state.discord.messages.values()] == ["hello"]


def test_message_at_every_limit_is_accepted(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState())
    fields = [{"name": "n", "value": "v"} for _ in range(24)] + [{"name": "n" * 256, "value": "v" * 1024}]
    full = {"title": "t" * 256, "description": "d" * 4096, "fields": fields, "color": 0xFFFFFF}
    left = 6000 - 256 - 4096 - 48 - 256 - 1024
    payload = {"content": "c" * 2000, "embeds": [full | {"footer": {"text": "f" * left}}]}
    assert post(sandbox, payload).status_code == 200
    assert post(sandbox, {"embeds": [{"title": "t"}] * 10}).status_code == 200


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"content": "c" * 2001}, "content"),
        ({"embeds": [{"title": "t"}] * 11}, "embeds"),
        (embed_with(title="t" * 257), "embeds.0.title"),
        (embed_with(description="d" * 4097), "embeds.0.description"),
        (embed_with(footer={"text": "f" * 2049}), "embeds.0.footer.text"),
        (embed_with(author={"name": "a" * 257}), "embeds.0.author.name"),
        (embed_with(fields=[{"name": "n", "value": "v"}] * 26), "embeds.0.fields"),
        (embed_with(fields=[{"name": "n" * 257, "value": "v"}]), "embeds.0.fields.0.name"),
        (embed_with(fields=[{"name": "n", "value": "v" * 1025}]), "embeds.0.fields.0.value"),
        (embed_with(fields=[{"name": "n", "value": ""}]), "embeds.0.fields.0.value"),
        (embed_with(color=0x1000000), "embeds.0.color"),
        (embed_with(url="not a url"), "embeds.0.url"),
        (embed_with(timestamp="yesterday"), "embeds.0.timestamp"),
        ({"embeds": [{"description": "d" * 3001}] * 2}, "embeds"),
        ({"content": "hi", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse.0"),
    ],
)
def test_each_broken_limit_is_400_and_names_its_place(sandbox: Sandbox, payload: dict[str, Any], path: str) -> None:
    sandbox.load(SandboxState())
    answer = post(sandbox, payload)
    assert (answer.status_code, answer.json()["code"]) == (400, 50035)
    node = answer.json()["errors"]
    for step in path.split("."):
        node = node[step]
    assert node["_errors"][0]["message"]
    assert sandbox.state.discord.messages == {}


def test_empty_message_and_bad_json_are_refused(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState())
    assert post(sandbox, {"content": " "}).json()["code"] == 50006
    bad = requests.post(webhook_url(sandbox), data=b"{", timeout=5)
    assert (bad.status_code, bad.json()["code"]) == (400, 50109)


def test_removed_webhook_is_10015_and_wrong_token_401(sandbox: Sandbox) -> None:
    state = SandboxState()
    sandbox.load(state)
    wrong = requests.post(webhook_url(sandbox) + "x", json={"content": "hi"}, timeout=5)
    assert (wrong.status_code, wrong.json()["code"]) == (401, 50027)
    state.discord.gone = True
    gone = post(sandbox, {"content": "hi"})
    assert (gone.status_code, gone.json()["code"]) == (404, 10015)


def test_sixth_message_in_two_seconds_is_told_how_long_to_wait(sandbox: Sandbox) -> None:
    sandbox.load(SandboxState(), FaultPlan(limits={"discord": RateLimit(5, seconds=2.0)}))
    answers = [post(sandbox, {"content": str(number)}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
    assert 0 < answers[5].json()["retry_after"] <= 2
    assert answers[5].headers["Retry-After"] in {"1", "2"}


def test_edge_ban_has_no_json(sandbox: Sandbox) -> None:
    plan = FaultPlan()
    plan.rate_limit("discord")
    sandbox.load(SandboxState(), plan)
    answer = post(sandbox, {"content": "hi"})
    assert (answer.status_code, answer.text) == (429, "error code: 1015")
    assert post(sandbox, {"content": "hi"}).status_code == 200
