"""Objects read one by one, several at a time.

Belongs here: asking for each id, and stopping when the provider fails. Does not belong here: why they are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.providers.base import Clock, Page, Resource

ROUND = 200
"""Ids handed out at a time: answers wait in memory until those before them are there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said of one id.

    Attributes:
        page: the object; None: the provider does not have it.
        read_at: when the request began, UTC.
        error: why there is no answer.
    """

    object_id: str
    page: Page | None
    read_at: datetime
    error: PaymentsPipelineError | None = None


def read_singly(resource: Resource, ids: Sequence[str], *, clock: Clock, threads: int) -> Iterator[Answer]:
    """Ask for each id, in this order; the first failure is the last answer, because the rest would fare no better."""
    stop = threading.Event()

    def ask(object_id: str) -> Answer | None:
        if stop.is_set():
            return None
        asked_at = clock()
        try:
            page = resource.read(object_id)
        except PaymentsPipelineError as error:
            stop.set()
            return Answer(object_id, None, asked_at, error)
        if page is None or not page.objects:
            return Answer(object_id, None, asked_at)
        return Answer(object_id, page, page.read_at)

    left = iter(ids)
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="read_singly") as pool:
        try:
            while (some := list(islice(left, ROUND))) and not stop.is_set():
                answers = [answer for answer in pool.map(ask, some) if answer is not None]
                # Answers of other threads may come after the failure; they are good.
                yield from sorted(answers, key=lambda answer: answer.error is not None)
        finally:
            stop.set()
