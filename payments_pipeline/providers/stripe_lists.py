"""Stripe's lists: page after page of one endpoint, and single objects.

Belongs here: paging and what guards it. Does not belong here: a call (stripe_calls.py), an object's meaning
(stripe_objects*.py), which lists there are (stripe_resources.py), retry rules (http.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from payments_pipeline.errors import (
    GoneError,
    MalformedObjectError,
    NotFoundError,
    PaymentsPipelineError,
    ResponseError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Clock, Page, ResourceSpec, Window
from payments_pipeline.providers.http import UnreadableAnswerError
from payments_pipeline.providers.stripe_calls import StripeCalls, parsed
from payments_pipeline.providers.stripe_fields import object_id
from payments_pipeline.providers.stripe_slices import Answer
from payments_pipeline.providers.stripe_slices import answer as slices_of

PAGE_LIMIT = 100  # Stripe's largest
Json = dict[str, Any]
Read = Callable[[bytes, str], Any]
Mode = Callable[[], bool | None]
"""Whether the key is for live money; None while nobody knows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of Stripe object is listed, read and kept.

    Attributes:
        path: of the list, e.g. ``/v1/charges``.
        row: values in the order of the spec's columns.
        kept: takes away what must not be stored; may change the object.
        identity: the object's id, as text.
        params: further parameters of the list.
        expand: fields to ask for as objects in place of ids.
    """

    spec: ResourceSpec
    path: str
    row: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    kept: Callable[[Json], Json]
    identity: Callable[[Mapping[str, Any]], str] = object_id
    params: Mapping[str, Any] = field(default_factory=dict)
    expand: tuple[str, ...] = ()


class StripeList:
    """One list endpoint, newest first, paged by cursor."""

    def __init__(self, calls: StripeCalls, clock: Clock, mode: Mode, path: str) -> None:
        self._calls = calls
        self._clock = clock
        self._mode = mode
        self._path = path

    def pages(self, params: Mapping[str, Any], *, read: Read = parsed) -> Iterator[Page]:
        """Every object that `params` select, as Stripe sent it.

        Args:
            read: `parsed`, or `slices_of` for objects that are not parsed.

        Raises:
            ResponseError: the list is malformed, or pages repeat. WrongAccountError: an object is of the other mode.
        """
        asked: Json = {"limit": PAGE_LIMIT, **params}
        cursors: set[str] = set()
        while True:
            read_at = self._clock()
            answer = self._calls.answer(self._path, read, asked)
            if isinstance(answer, Answer):
                page, more, ids = self._unparsed(answer, read_at)
            else:
                page, more, ids = self._parsed(answer, read_at)
            yield page
            if not more:
                return
            asked["starting_after"] = self._cursor(ids, cursors)

    def created_in(self, window: Window, params: Mapping[str, Any], *, read: Read = parsed) -> Iterator[Page]:
        """As `pages`, of what was created in the window. Stripe's `created` has whole seconds: both ends round up."""
        first, end = math.ceil(window.start.timestamp()), math.ceil(window.end.timestamp())
        for page in self._filtered({"gte": first, "lt": end}, params, read):
            objects = [obj for obj in page.objects if _inside(_created(obj), first, end)]
            yield Page(objects, page.read_at, [one for one in page.slices if _inside(one.created, first, end)])

    def _parsed(self, answer: Any, read_at: datetime) -> tuple[Page, bool, list[str]]:
        """A page of objects, whether there are more, and their ids."""
        objects, more = self._listed(answer)
        expected = self._mode()
        for obj in objects:
            if type(obj) is not dict or obj.get("livemode") is not expected:  # a call for each object shows
                self.check_mode(obj)
        ids = [obj["id"] for obj in objects if isinstance(obj, dict) and isinstance(obj.get("id"), str)]
        return Page(objects, read_at), more, ids

    def _unparsed(self, answer: Answer, read_at: datetime) -> tuple[Page, bool, list[str]]:
        """As `_parsed`, of slices."""
        expected, more = self._mode(), answer.cut.has_more
        for one in answer.glances:
            if one.livemode is not expected:
                self.check_mode({"id": one.id, "livemode": one.livemode})
        ids = [one.id for one in answer.glances]
        return Page([], read_at, answer.slices()), _more(more, ids), ids

    def _filtered(self, created: Mapping[str, int], params: Mapping[str, Any], read: Read) -> Iterator[Page]:
        """Pages with a filter on `created`; all pages where the server refuses that filter.

        Stripe never does; API-compatible servers answer 400 or 500 to parameters they do not know.
        """
        pages = self.pages({"created": created, **params}, read=read)
        try:
            begun = next(pages, None)
        except (ResponseError, TransientError) as refused:
            if isinstance(refused, NotFoundError) or not _about_parameters(refused):
                raise
            begun, pages = self._without_filter(created, params, read, refused)
        if begun is not None:
            yield begun
            yield from pages

    def _without_filter(
        self, created: Mapping[str, int], params: Mapping[str, Any], read: Read, refused: PaymentsPipelineError
    ) -> tuple[Page | None, Iterator[Page]]:
        """The first page and the rest: unfiltered only if the server answers so, and fails with the filter once more.

        A passing 500 must not make us list all that an account ever had.

        Raises:
            PaymentsPipelineError: `refused`; it was not about the filter.
        """
        unfiltered = self.pages(params, read=read)
        try:
            begun = next(unfiltered, None)
        except PaymentsPipelineError:
            raise refused from None
        if isinstance(refused, TransientError):
            filtered = self.pages({"created": created, **params}, read=read)
            with suppress(ResponseError, TransientError):
                return next(filtered, None), filtered
        return begun, unfiltered

    def check_mode(self, obj: Any) -> None:
        """Refuse an object of the other mode. Some kinds do not say theirs.

        Raises:
            WrongAccountError: it is live money behind a test key, or the reverse.
        """
        expected = self._mode()
        found = obj.get("livemode") if isinstance(obj, dict) else None
        if expected is not None and isinstance(found, bool) and found != expected:
            raise WrongAccountError(
                f"{obj.get('id')} is in {_mode_name(found)} mode, the key is for {_mode_name(expected)} mode.",
                where=f"stripe GET {self._path}",
                remedy="Use the key of the account and mode whose money this database describes.",
            )

    def _listed(self, answer: Any) -> tuple[list[Any], bool]:
        objects = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(objects, list):
            raise ResponseError(
                "Stripe's answer has no list of objects.",
                where=f"stripe GET {self._path}",
                remedy="Check STRIPE_API_BASE: another service seems to answer there.",
            )
        return objects, _more(answer.get("has_more"), objects)

    def _cursor(self, ids: Sequence[str], cursors: set[str]) -> str:
        """The id to go on after; a cursor seen before would mean an endless list."""
        last = ids[-1] if ids else None
        if last is None or last in cursors:
            raise ResponseError(
                "Stripe repeats a page." if last is not None else "Stripe says there is more after a page without ids.",
                where=f"stripe GET {self._path} page {len(cursors) + 1}",
                remedy="Check STRIPE_API_BASE: the server there does not honour starting_after.",
            )
        cursors.add(last)
        return last


def single(calls: StripeCalls, path: str, object_id: str, **params: Any) -> Json | None:
    """The object of this id below `path`; None when Stripe says that it has none.

    Raises:
        ResponseError: another object or none came, or a 404 that does not speak of the object.
    """
    try:
        answer = calls.get(f"{path}/{quote(object_id, safe='')}", **params)
    except GoneError:
        return None
    if not isinstance(answer, dict) or answer.get("id") != object_id:
        raise ResponseError(
            "The answer is not the object asked for.",
            where=f"stripe GET {path}/{object_id}",
            remedy="Check STRIPE_API_BASE: a proxy or another service seems to answer there.",
        )
    return answer


class StripeResource:
    """One kind of object of one account: its list and single objects, cut down to what is kept."""

    def __init__(self, kind: Kind, calls: StripeCalls, clock: Clock, mode: Mode) -> None:
        self.spec = kind.spec
        self._kind = kind
        self._calls = calls
        self._clock = clock
        self._list = StripeList(calls, clock, mode, kind.path)

    def pages(self, window: Window) -> Iterator[Page]:
        """See `base.Resource.pages`. Raises as `StripeList.pages`."""
        return self._pages(window, parsed)

    def _pages(self, window: Window, read: Read) -> Iterator[Page]:
        expand = {"expand": [f"data.{name}" for name in self._kind.expand]} if self._kind.expand else {}
        for page in self._list.created_in(window, {**self._kind.params, **expand}, read=read):
            yield Page([self._kept(obj) for obj in page.objects], page.read_at, page.slices)

    def read(self, object_id: str) -> Page | None:
        """See `base.Resource.read`."""
        params: Json = {"expand": list(self._kind.expand)} if self._kind.expand else {}
        read_at = self._clock()
        answer = single(self._calls, self._kind.path, object_id, **params)
        if answer is None:
            return None
        self._list.check_mode(answer)
        return Page([self._kept(answer)], read_at)

    def object_id(self, obj: Mapping[str, Any]) -> str:
        """See `base.Resource.object_id`."""
        return self._kind.identity(obj)

    def row(self, obj: Mapping[str, Any]) -> tuple[Any, ...]:
        """See `base.Resource.row`."""
        return self._kind.row(obj)

    def _kept(self, obj: Any) -> Any:
        # What is no object is rejected by the load path, which can say where.
        return self._kind.kept(obj) if isinstance(obj, dict) else obj


class SlicedResource(StripeResource):
    """A kind of object whose list brings nothing but the objects themselves."""

    def sliced(self, window: Window) -> Iterator[Page]:
        """See `base.Sliced.sliced`."""
        return self._pages(window, slices_of)

    def parsed(self, raw: bytes) -> Any:
        """See `base.Sliced.parsed`."""
        try:
            return self._kept(parsed(raw, f"stripe GET {self._kind.path}"))
        except UnreadableAnswerError as error:
            raise MalformedObjectError("The object is not JSON.") from error


def _created(obj: Any) -> Any:
    return obj.get("created") if isinstance(obj, dict) else None


def _inside(created: Any, first: int, end: int) -> bool:
    """Whether `created` lies in the range, for servers that ignore the filter; the unreadable go on, to be named."""
    return not isinstance(created, int) or first <= created < end


def _about_parameters(refused: PaymentsPipelineError) -> bool:
    """Whether the same call may be answered without its filter: 400, or a server that fell over it."""
    return getattr(refused.__cause__, "http_status", None) in {400, 422, 500}


def _more(told: Any, objects: Sequence[Any]) -> bool:
    """Whether a list goes on. A server that does not say may have pages of any size: only an empty one is the last."""
    return bool(told) if told is not None else bool(objects)


def _mode_name(livemode: bool) -> str:
    return "live" if livemode else "test"
