"""What is told of a change: notifications into the outbox, one a finding or one digest for a flood, none for a flutter.

Belongs here: which changes are told, and when. Does not belong here: channels, routes and looks (notify/). Each is
written for all channels at once (channel `*`); the outbox gives it to the configured ones.

An anomaly that comes and goes is one message: within `FLAP_WINDOW` of its resolution a new episode continues the thread
of the last one, whose message is edited; after `THREAD_MOST` a new message is due. A rise rings a bell once a thread
and severity in `FLAP_WINDOW`. What cannot be edited, a digest of
resolved findings, waits for `notify.routing.HOLD_BACK`, and is dropped as far as its findings are back by then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import chain

import orjson
from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.reports import Report

# More changes than this in one refresh, as after an outage, are told in one message (failure catalogue, M15).
DIGEST_ABOVE = 20
DIGEST_EXAMPLES = 5
FLAP_WINDOW = timedelta(hours=1)
THREAD_MOST = timedelta(days=1)


class Teller:
    """Queues what one change of a source's findings has to say, in the caller's transaction.

    Args:
        source: the report, or the watch.
        frame: what every message about it says, as JSON; see `frame_of`.
        as_of: time of the changes.
    """

    def __init__(self, connection: Connection, source: str, frame: str, as_of: datetime) -> None:
        self._connection = connection
        self._source = source
        self._frame = frame
        self._as_of = as_of

    def opened(self, findings: Sequence[int]) -> None:
        """First episodes, and later ones that are told anew."""
        self._all(findings, "opened", "opened")

    def reopened(self, findings: Sequence[int]) -> None:
        """Episodes that follow the last one so closely that they continue its thread."""
        if not findings:
            return
        alone = self._alone(findings)
        graver = self._graver(sorted(alone))
        self._each(sorted(graver), "risen")
        back = self._take_back([finding for finding in findings if finding not in alone])
        self._each([finding for finding in findings if finding in alone and finding not in graver], "reopened")
        self.opened([finding for finding in findings if finding not in alone and finding not in back])

    def risen(self, findings: Sequence[int]) -> None:
        """Findings that have become HIGH, or CRITICAL. Where a bell as grave has just rung, their message is edited."""
        rung = self._rung(findings)
        self._all([finding for finding in findings if finding not in rung], "risen", "risen")
        self._each(sorted(self._alone(sorted(rung))), "reopened", edit_only=True)

    def woken(self, findings: Sequence[int]) -> None:
        """Findings whose snooze is over."""
        self._all(findings, "woken", "woken")

    def resolved(self, findings: Sequence[int], hold_back: timedelta = timedelta(0)) -> None:
        """A finding with a message of its own has it edited, however many; the others are told as new ones."""
        alone = self._alone(findings)
        in_digest = [finding for finding in findings if finding not in alone]
        if len(in_digest) > DIGEST_ABOVE:
            self._digest(in_digest, "resolved", self._as_of + hold_back)
            findings = sorted(alone)
        self._each(findings, "resolved")

    def handled(self, finding: int, kind: str) -> None:
        """What a person did with one finding: acknowledged, snoozed, resolved or opened."""
        self._each([finding], kind)

    def _all(self, findings: Sequence[int], kind: str, change: str) -> None:
        if len(findings) > DIGEST_ABOVE:
            self._digest(findings, change, self._as_of)
        else:
            self._each(findings, kind)

    def _alone(self, findings: Sequence[int]) -> set[int]:
        statement = named("findings/told_alone.sql")
        return set(self._connection.execute(statement, {"findings": list(findings)}).scalars())

    def _rung(self, findings: Sequence[int]) -> set[int]:
        if not findings:
            return set()
        asked = {"findings": list(findings), "as_of": self._as_of, "flap_window": FLAP_WINDOW}
        return set(self._connection.execute(named("findings/rung.sql"), asked).scalars())

    def _graver(self, findings: Sequence[int]) -> set[int]:
        """Episodes that are back graver than they went, and have to be heard."""
        if not findings:
            return set()
        statement = named("findings/back_graver.sql")
        graver = set(self._connection.execute(statement, {"findings": list(findings)}).scalars())
        return graver - self._rung(sorted(graver))

    def _take_back(self, findings: Sequence[int]) -> Collection[int]:
        """Drop what was not told yet of the episodes before these; returns the findings that need no telling then."""
        if not findings:
            return ()
        rows = self._connection.execute(named("findings/previous_episodes.sql"), {"findings": list(findings)}).all()
        previous = {row.previous_id: row.finding_id for row in rows}
        held = self._connection.execute(
            named("findings/held_digests.sql"), {"report": self._source, "findings": list(previous)}
        ).all()
        for digest in held:
            self._digest([one for one in digest.covers if one not in previous], "resolved", digest.next_attempt_at)
        return {previous[one] for one in chain.from_iterable(row.covers for row in held) if one in previous}

    def _each(self, findings: Sequence[int], kind: str, *, edit_only: bool = False) -> None:
        if findings:
            self._connection.execute(
                named("findings/notify_each.sql"),
                {
                    "findings": list(findings),
                    "kind": kind,
                    "frame": self._frame,
                    "as_of": self._as_of,
                    "edit_only": edit_only,
                },
            )

    def _digest(self, findings: Sequence[int], change: str, due: datetime) -> None:
        if findings:
            self._connection.execute(
                named("findings/notify_digest.sql"),
                {
                    "findings": list(findings),
                    "change": change,
                    "frame": self._frame,
                    "as_of": self._as_of,
                    "due": due,
                    "examples": DIGEST_EXAMPLES,
                },
            )


def frame_of(report: Report, ui_url: str, run_id: str | None) -> str:
    """What every message about this report says, as JSON."""
    return orjson.dumps(
        {
            "report": report.name,
            "title": report.title,
            "why": report.why,
            "what_to_do": report.what_to_do,
            "report_url": f"{ui_url.rstrip('/')}/assets/{report.name}",
            "run_id": run_id,
        }
    ).decode()
