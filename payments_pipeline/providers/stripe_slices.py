"""An answer of Stripe's cut into its objects' own bytes, so that objects read before need not be parsed again.

Belongs here: where one object ends and the next begins, and the few fields that paging needs of each. Does not belong
here: paging (stripe_lists.py), comparing bytes with what was read before (ingest).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from payments_pipeline.providers.base import Slice
from payments_pipeline.providers.stripe_calls import parsed


class Expanded(msgspec.Struct, gc=False):
    """An object inside the object, whatever it holds."""


class Glance(msgspec.Struct, gc=False):
    """What is read of an object before it is decided whether to parse it.

    Attributes:
        latest_charge: an intent's charge. Where only its id stands there, the intent's bytes do not tell what the
            charge says, so that such an answer is parsed.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    created: Any = None
    livemode: Any = None
    latest_charge: Expanded | None = None


class Cut(msgspec.Struct, gc=False):
    """A list's answer: its objects as bytes."""

    data: list[msgspec.Raw]
    has_more: Any = None


class _Glances(msgspec.Struct, gc=False):
    data: list[Glance]


_cut = msgspec.json.Decoder(Cut).decode
_glances = msgspec.json.Decoder(_Glances).decode
# A charge's receipt link is new at each read, and is not kept. Stripe writes the fields in this order; where they stand
# otherwise nothing is left out, and the object is parsed each time.
_RECEIPT = re.compile(
    rb'("receipt_number"\s*:\s*(?:null|"[^"\\]*")\s*,\s*"receipt_url"\s*:\s*)"https://pay\.stripe\.com/receipts/[^"\\]*"'
)


class Answer(msgspec.Struct, gc=False):
    """A list's answer in pieces; `glances` and `cut.data` belong together, one of each an object."""

    cut: Cut
    glances: list[Glance]

    def slices(self) -> list[Slice]:
        """Each object, unparsed."""
        return [
            Slice(glance.id, glance.created, raw, told(raw))
            for glance, raw in zip(self.glances, map(bytes, self.cut.data), strict=True)
        ]


def answer(body: bytes, where: str) -> Any:
    """An `Answer`; or, where one of the objects is not as it should be, the body parsed.

    Raises:
        UnreadableAnswerError: it is not JSON.
    """
    try:
        return Answer(_cut(body), _glances(body).data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return parsed(body, where)  # an object that can't be told from the others so is rejected where it is read


def told(raw: bytes) -> bytes:
    """An object's bytes without what is new at each read."""
    return _RECEIPT.sub(rb"\1null", raw) if b"//pay.stripe.com/receipts/" in raw else raw
