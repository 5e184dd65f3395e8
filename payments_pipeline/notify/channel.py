"""The port every channel implements, and the message it is given.

Belongs here: the shapes shared by the outbox and all channels. Does not belong here: how any one
channel looks or calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Message:
    """One notification as the outbox holds it; each channel renders it in its own way, at the time of sending.

    Attributes:
        notification_id: identity in the outbox; channels show it, so that a message shown twice is recognisable.
        kind: opened, risen, woken, reopened, acknowledged, snoozed, resolved, digest, summary or failure.
        severity: LOW, MEDIUM, HIGH or CRITICAL.
        body: report, title, why, what_to_do, evidence, finding_id, episode, opened_at, report_url, run_id, …; any may
            be missing.
        key: the same at every attempt, and of no other message of this channel; for channels that know idempotency.
        thread: the same for all messages about one anomaly; None where there is none.
    """

    notification_id: int
    kind: str
    severity: str
    body: Mapping[str, Any]
    key: str = ""
    thread: int | None = None


class Channel(Protocol):
    """A way to people. One call sends at most one message, within a bounded time, and does not retry by itself.

    Attributes:
        edits: `edit` changes a message that was shown; otherwise each change is a new one.
    """

    @property
    def edits(self) -> bool: ...

    def send(self, message: Message) -> str | None:
        """Show a new message.

        Returns:
            The channel's id of the message; None when it was accepted but the answer did not say the id.

        Raises:
            TransientError: later may do; `retry_after` says when, if the channel did.
            UnclearOutcomeError: it may have been shown.
            ChannelGoneError: the channel takes nothing any more.
            PermanentError: the channel refuses this message.
        """
        ...

    def edit(self, message_id: str, message: Message) -> None:
        """Replace what a message shows; doing it twice is harmless.

        Raises:
            MessageGoneError: somebody removed it. Otherwise as `send`.
        """
        ...


@runtime_checkable
class PlacedChannel(Channel, Protocol):
    """A channel that knows no idempotency but can edit: first a place is kept, then an edit tells.

    Whatever dies or is lost on the way, the editing can be repeated; at worst a place stays behind that tells nothing.
    """

    def reserve(self, message: Message) -> str:
        """Show a headline that does not say which finding it is about.

        Returns:
            The channel's id of the message, for `edit`.

        Raises:
            As `send`.
        """
        ...

    def discard(self, message_id: str) -> None:
        """Remove a message; no error when it is gone already. Otherwise raises as `send`."""
        ...
