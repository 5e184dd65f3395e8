"""Objects read one by one, several at a time.

Belongs here: asking for each id, and telling an object that can't be had from a provider that fails. Does not belong
here: why they are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    PaymentsPipelineError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Clock, Page, Resource

ROUND = 200
"""Ids handed out at a time: answers wait in memory until those before them are there."""
GIVE_UP_AFTER = 3
"""Ids that failed in a row: the provider, not the object, is the trouble."""
FORBIDDEN, LOCKED, FIRST_SERVER_ERROR = 403, frozenset({409, 423}), 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said of one id.

    Attributes:
        page: the object; None: the provider does not have it.
        read_at: when the request began, UTC.
        error: why there is no answer.
        last: the provider fails, and the other ids would fare no better; else `error` is about this object alone.
    """

    object_id: str
    page: Page | None
    read_at: datetime
    error: PaymentsPipelineError | None = None
    last: bool = False


class _Failures:
    """How many ids failed in a row; shared by the threads that ask."""

    def __init__(self, suspects: Collection[str]) -> None:
        self._lock = threading.Lock()
        self._suspects = suspects
        self._row = 0

    def answered(self) -> None:
        with self._lock:
            self._row = 0

    def mean_the_provider(self, object_id: str, error: PaymentsPipelineError) -> bool:
        """Whether this failure is the provider's rather than the object's."""
        if not _about_one(error):
            return True
        with self._lock:
            self._row += object_id not in self._suspects
            return self._row >= GIVE_UP_AFTER


def read_singly(
    resource: Resource, ids: Sequence[str], *, clock: Clock, threads: int, suspects: Collection[str] = ()
) -> Iterator[Answer]:
    """Ask for each id, in this order, until the provider fails.

    Refused credentials, another account, no answer at all, or several ids in a row that fail are the provider's
    failure; a 400, 403, 404 or 5xx for one id among others that are answered is about that object.

    Args:
        suspects: ids that could not be read before: that they fail again says nothing of the provider.
    """
    stop = threading.Event()
    failures = _Failures(suspects)

    def ask(object_id: str) -> Answer | None:
        if stop.is_set():
            return None
        asked_at = clock()
        try:
            page = resource.read(object_id)
        except PaymentsPipelineError as error:
            last = failures.mean_the_provider(object_id, error)
            if last:
                stop.set()
            return Answer(object_id, None, asked_at, error, last)
        failures.answered()
        if page is None or not page.objects:
            return Answer(object_id, None, asked_at)
        return Answer(object_id, page, page.read_at)

    left = iter(ids)
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="read_singly") as pool:
        try:
            while (some := list(islice(left, ROUND))) and not stop.is_set():
                answers = [answer for answer in pool.map(ask, some) if answer is not None]
                # Answers of other threads may come after the failure; they are good.
                yield from sorted(answers, key=lambda answer: answer.last)
        finally:
            stop.set()


def _about_one(error: PaymentsPipelineError) -> bool:
    """Whether a failure can be about the one object asked for."""
    if isinstance(error, (WrongAccountError, ConfigurationError)):
        return False
    if isinstance(error, CredentialsError):
        return error.status == FORBIDDEN
    if isinstance(error, TransientError):
        return error.status is not None and (error.status >= FIRST_SERVER_ERROR or error.status in LOCKED)
    return True
