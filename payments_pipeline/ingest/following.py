"""Following the provider's feed: from where, in which pieces, and which of the changed objects are read again.

Belongs here: what a run does about the feed, its holes and its failures. Does not belong here: reading it (feed.py),
lists, open objects (incremental.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from payments_pipeline.db.sql import named
from payments_pipeline.errors import FeedGapError, PaymentsPipelineError, ResponseError
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.feed import UNNAMED, News, followed, listen
from payments_pipeline.ingest.fetches import Fetches
from payments_pipeline.ingest.stored import known_already
from payments_pipeline.ingest.watermarks import OVERLAP, Watermark, handled, move
from payments_pipeline.ingest.windows import slices
from payments_pipeline.providers.base import Change, ChangeFeed, Window

SLICE = timedelta(days=1)
"""The feed is worked off in pieces, so that a month of it neither fills the memory nor is lost when the run dies."""
MARGIN = timedelta(minutes=5)
"""Not asked of the feed's far end, which moves while it is read."""


class Following:
    """The resources that follow the feed in one run, each from its own watermark on; one that fails is left behind."""

    def __init__(self, fetches: Fetches, marks: Mapping[str, Watermark], end: datetime) -> None:
        self._fetches = fetches
        self._end = end
        self._told_to = {name: mark.told_to for name, mark in marks.items() if name in followed(fetches.provider)}
        self._before = frozenset(name for name, mark in marks.items() if mark.followed)
        self._news = News()

    def catch_up(self) -> list[Coverage]:
        """Read the feed, and what it names but for the last piece, which waits for the lists: they bring most of it.

        Returns:
            Certificates of re-reads, of holes in the feed, and of its failure.
        """
        made = self._pass_holes()
        if not self._told_to:
            return made
        start = min(self._end, *self._told_to.values()) - OVERLAP
        pieces = slices(Window(min(self._fed_from(start), self._end), self._end), SLICE)
        for piece in pieces:
            try:
                self._news = self._listen(piece)
            except PaymentsPipelineError as error:
                return made + self._abandon(error)
            made += self._distrust_unreadable(piece)
            if piece is not pieces[-1]:
                made += self._work_off(piece)
        return made

    def reads_again(self, resource: str, listed: Window) -> list[str] | None:
        """Objects of the last piece that changed and that a complete list of `listed` did not read since.

        Returns:
            Their ids; None where the resource does not follow the feed, or no longer in this run.
        """
        if resource not in self._told_to:
            return None
        changes = self._news.of(resource)
        newest = {
            name: max(change.at for change in told) + OVERLAP
            for name, told in changes.items()
            if not any(change.deleted for change in told)
        }
        spec = self._fetches.spec(resource)
        with self._fetches.engine.connect() as connection:
            known = known_already(connection, self._fetches.account, spec, newest, listed)
        return [name for name in changes if name not in known]

    def heard(self, resource: str) -> list[Change]:
        """The changes of the last piece, to be noted when they are dealt with."""
        return [change for told in self._news.of(resource).values() for change in told]

    def _work_off(self, piece: Window) -> list[Coverage]:
        """Deal with a piece of the feed, and move the watermarks to its end."""
        made = []
        nothing_listed = Window(piece.start, piece.start)
        for name in list(self._told_to):
            again = self._fetches.again(name, self.reads_again(name, nothing_listed) or ())
            if again is not None:
                made.append(again)
            if again is not None and not again.complete:
                del self._told_to[name]
                continue
            with self._fetches.engine.begin() as connection:
                move(
                    connection, self._fetches.account, name, told_to=piece.end, handled=self.heard(name),
                    run_id=self._fetches.run_id, at=self._fetches.clock(),
                )  # fmt: skip
        return made

    def _listen(self, piece: Window) -> News:
        feed = self._fetches.provider
        assert isinstance(feed, ChangeFeed)  # noqa: S101  (`followed` names no resource of another)
        account = self._fetches.account
        with self._fetches.engine.connect() as connection:
            dealt_with = {name: handled(connection, account, name, piece.start) for name in self._told_to}
        since = {name: told_to - OVERLAP for name, told_to in self._told_to.items()}
        return listen(feed, piece, since=since, dealt_with=dealt_with)

    def _fed_from(self, start: datetime) -> datetime:
        """The feed's far end, where `start` lies before it."""
        feed = self._fetches.provider
        return max(start, self._fetches.clock() - feed.reach + MARGIN) if isinstance(feed, ChangeFeed) else start

    def _pass_holes(self) -> list[Coverage]:
        """Where the feed no longer goes back to the watermark, say so, and go on where it begins.

        Nothing that reads the feed can fill the hole, so it must not hold up the rest; the certificate stays
        outstanding until a complete sweep. One that came after the hole already, while nobody followed the feed, read
        what it can't tell; where nobody ever followed it, so did any sweep since.
        """
        made = []
        for name, told_to in self._told_to.items():
            begins = min(self._fed_from(told_to), self._end)
            if begins > told_to:
                self._told_to[name] = begins
                if self._swept_since(name, told_to if name in self._before else begins, begins):
                    continue
                error = FeedGapError(
                    f"Changes between {told_to.isoformat()} and {begins.isoformat()} are no longer told.",
                    where=f"{self._fetches.provider.name} feed",
                    remedy="Run a sweep, and a backfill of older months whose late changes matter.",
                )
                made.append(self._fetches.unread(name, "feed", Window(told_to, begins), error))
        return made

    def _swept_since(self, name: str, told_to: datetime, begins: datetime) -> bool:
        account = self._fetches.account
        names = {"provider": account.provider, "account": account.account, "resource": name}
        with self._fetches.engine.connect() as connection:
            found = connection.execute(
                named("ingest/swept_since.sql"), names | {"told_to": told_to, "begins": begins}
            ).scalar_one()
        return bool(found)

    def _abandon(self, error: PaymentsPipelineError) -> list[Coverage]:
        """The feed failed: nobody follows it any longer, and all who did say so."""
        names, self._told_to, self._news = list(self._told_to), {}, News()
        return [self._fetches.unread(name, "reread", Window(self._end, self._end), error) for name in names]

    def _distrust_unreadable(self, piece: Window) -> list[Coverage]:
        """An event that does not say what changed is told once; only a sweep can find what it meant."""
        events: Sequence[str] = self._news.unreadable
        if not events:
            return []
        error = ResponseError(
            f"{len(events)} events do not say which object changed; the first is {events[0]}.",
            where=f"{self._fetches.provider.name} feed",
            remedy="The next complete sweep finds what changed.",
        )
        made = []
        for name in self._told_to:
            made.append(self._fetches.unread(name, "feed", piece, error))
            noted = [Change(name, UNNAMED, piece.end, False, event) for event in events]
            with self._fetches.engine.begin() as connection:
                move(
                    connection, self._fetches.account, name, handled=noted, run_id=self._fetches.run_id,
                    at=self._fetches.clock(),
                )  # fmt: skip
        return made
