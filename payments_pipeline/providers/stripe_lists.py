"""Stripe's lists: page after page of one endpoint, single objects, and the same for transfer reversals.

Belongs here: paging and what guards it. Does not belong here: a call (stripe_calls.py), an object's meaning
(stripe_objects*.py), which lists there are (stripe_resources.py), retry rules (http.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from payments_pipeline.errors import (
    GoneError,
    NotFoundError,
    PaymentsPipelineError,
    PermanentError,
    ResponseError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Clock, Page, ResourceSpec, Window
from payments_pipeline.providers.stripe_calls import StripeCalls
from payments_pipeline.providers.stripe_fields import object_id
from payments_pipeline.providers.stripe_objects_balance import TRANSFER_CREATED

PAGE_LIMIT = 100  # Stripe's largest
Json = dict[str, Any]
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

    def pages(self, params: Mapping[str, Any]) -> Iterator[Page]:
        """Every object that `params` select, as Stripe sent it.

        Raises:
            ResponseError: the list is malformed, or pages repeat. WrongAccountError: an object is of the other mode.
        """
        asked: Json = {"limit": PAGE_LIMIT, **params}
        cursors: set[str] = set()
        while True:
            read_at = self._clock()
            objects, more = self._listed(self._calls.get(self._path, **asked))
            expected = self._mode()
            for obj in objects:
                if type(obj) is not dict or obj.get("livemode") is not expected:  # a call for each object shows
                    self.check_mode(obj)
            yield Page(objects, read_at)
            if not more:
                return
            asked["starting_after"] = self._cursor(objects, cursors)

    def created_in(self, window: Window, params: Mapping[str, Any]) -> Iterator[Page]:
        """As `pages`, of what was created in the window. Stripe's `created` has whole seconds: both ends round up."""
        first, end = math.ceil(window.start.timestamp()), math.ceil(window.end.timestamp())
        for page in self._filtered({"gte": first, "lt": end}, params):
            yield Page([obj for obj in page.objects if _inside(obj, first, end)], page.read_at)

    def _filtered(self, created: Mapping[str, int], params: Mapping[str, Any]) -> Iterator[Page]:
        """Pages with a filter on `created`; all pages where the server refuses that filter.

        Stripe never does; API-compatible servers answer 400 or 500 to parameters they do not know.
        """
        pages = self.pages({"created": created, **params})
        try:
            begun = next(pages, None)
        except (ResponseError, TransientError) as refused:
            if isinstance(refused, NotFoundError) or not _about_parameters(refused):
                raise
            begun, pages = self._without_filter(created, params, refused)
        if begun is not None:
            yield begun
            yield from pages

    def _without_filter(
        self, created: Mapping[str, int], params: Mapping[str, Any], refused: PaymentsPipelineError
    ) -> tuple[Page | None, Iterator[Page]]:
        """The first page and the rest: unfiltered only if the server answers so, and fails with the filter once more.

        A passing 500 must not make us list all that an account ever had.

        Raises:
            PaymentsPipelineError: `refused`; it was not about the filter.
        """
        unfiltered = self.pages(params)
        try:
            begun = next(unfiltered, None)
        except PaymentsPipelineError:
            raise refused from None
        if isinstance(refused, TransientError):
            filtered = self.pages({"created": created, **params})
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
        more = answer.get("has_more")
        # A server that does not say may have pages of any size: only an empty one is the last.
        return objects, bool(more) if more is not None else bool(objects)

    def _cursor(self, objects: list[Any], cursors: set[str]) -> str:
        """The id to go on after; a cursor seen before would mean an endless list."""
        ids = (obj["id"] for obj in reversed(objects) if isinstance(obj, dict) and isinstance(obj.get("id"), str))
        last = next(ids, None)
        if last is None or last in cursors:
            raise ResponseError(
                "Stripe repeats a page." if last is not None else "Stripe says there is more after a page without ids.",
                where=f"stripe GET {self._path} page {len(cursors) + 1}",
                remedy="Check STRIPE_API_BASE: the server there does not honour starting_after.",
            )
        cursors.add(last)
        return str(last)


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
        expand = {"expand": [f"data.{name}" for name in self._kind.expand]} if self._kind.expand else {}
        for page in self._list.created_in(window, {**self._kind.params, **expand}):
            yield Page([self._kept(obj) for obj in page.objects], page.read_at)

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


class TransferReversals(StripeResource):
    """Reversals, which Stripe lists only by transfer: windows select by when the transfer was made."""

    def pages(self, window: Window) -> Iterator[Page]:
        """Every reversal of the transfers made in the window, a page for each page of transfers and some more.

        A transfer carries its newest ten reversals; only one with more costs calls of its own.
        """
        for page in self._list.created_in(window, self._kind.params):
            inside: list[Any] = []
            for transfer in page.objects:
                shown = _shown_reversals(transfer)
                if shown is None:
                    yield from self._listed_reversals(transfer)
                else:
                    inside += [_with_transfer(reversal, transfer) for reversal in shown]
            yield Page(inside, page.read_at)

    def read(self, object_id: str) -> Page | None:
        """One reversal by ``tr_…/trr_…``; None when Stripe does not have it. Raises PermanentError: another id."""
        transfer_id, slash, reversal_id = object_id.partition("/")
        if not slash:
            raise PermanentError(
                f"{object_id} does not name a reversal.",
                where=f"stripe {self.spec.name}",
                remedy="Give it as transfer/reversal: Stripe reads a reversal only through its transfer.",
            )
        path = f"{self._kind.path}/{quote(transfer_id, safe='')}"
        read_at = self._clock()
        reversal = single(self._calls, f"{path}/reversals", reversal_id, expand=["transfer"])
        if reversal is None:
            return None
        transfer = reversal.get("transfer")
        if not isinstance(transfer, dict):  # a server that ignores `expand`
            transfer = single(self._calls, self._kind.path, transfer_id)
            if transfer is None:
                return None
        self._list.check_mode(transfer)
        return Page([_with_transfer(reversal, transfer)], read_at)

    def _listed_reversals(self, transfer: Mapping[str, Any]) -> Iterator[Page]:
        path = f"{self._kind.path}/{quote(transfer['id'], safe='')}/reversals"
        for page in StripeList(self._calls, self._clock, lambda: None, path).pages({}):
            yield Page([_with_transfer(reversal, transfer) for reversal in page.objects], page.read_at)


def _shown_reversals(transfer: Any) -> list[Any] | None:
    """The reversals inside a transfer if these are all, else None; a transfer that can't be read stands for itself.

    As a reversal it will be rejected by name, so that the certificate does not claim its reversals.
    """
    if not isinstance(transfer, dict) or not isinstance(transfer.get("id"), str):
        return [transfer]
    shown = transfer.get("reversals")
    if isinstance(shown, dict) and isinstance(shown.get("data"), list) and shown.get("has_more") is False:
        data: list[Any] = shown["data"]
        return data
    return [] if shown is None and transfer.get("amount_reversed") == 0 else None


def _with_transfer(reversal: Any, transfer: Any) -> Any:
    """The reversal as every way to read it gives it: its transfer as id, and when that was made."""
    if isinstance(reversal, dict) and isinstance(transfer, dict) and reversal is not transfer:
        reversal["transfer"] = transfer.get("id")
        reversal[TRANSFER_CREATED] = transfer.get("created")
    return reversal


def _inside(obj: Any, first: int, end: int) -> bool:
    """Whether `created` lies in the range, for servers that ignore the filter; the unreadable go on, to be named."""
    created = obj.get("created") if isinstance(obj, dict) else None
    return not isinstance(created, int) or first <= created < end


def _about_parameters(refused: PaymentsPipelineError) -> bool:
    """Whether the same call may be answered without its filter: 400, or a server that fell over it."""
    return getattr(refused.__cause__, "http_status", None) in {400, 422, 500}


def _mode_name(livemode: bool) -> str:
    return "live" if livemode else "test"
