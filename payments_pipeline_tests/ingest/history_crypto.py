"""NOWPayments and OKX that live: payments with parents and repeated children, deposits on their way.

Belongs here: these providers' side of a history. Does not belong here: the log (history_log.py), ingestion
(history_runs.py), judging what it made of it (history_judge.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

import orjson

from payments_pipeline.errors import PermanentError
from payments_pipeline.ingest.rows import canonical_bytes
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.fields import as_moment
from payments_pipeline.providers.http import parse_json
from payments_pipeline.providers.identity import key_fingerprint
from payments_pipeline.providers.nowpayments_objects import PAYMENTS, payment_row
from payments_pipeline.providers.okx_objects import DEPOSITS, deposit_row
from payments_pipeline.sandbox.failures import Fault
from payments_pipeline.sandbox.nowpayments_api import listed
from payments_pipeline.sandbox.objects import nowpayments_payment, okx_deposit
from payments_pipeline.sandbox.state import Json, Store
from payments_pipeline_tests.ingest.history_log import Row, Version, World

NEXT = {
    "waiting": ("confirming", "expired"), "confirming": ("confirmed", "partially_paid", "failed"),
    "confirmed": ("sending",), "sending": ("finished",), "partially_paid": ("finished", "refunded"),
}  # fmt: skip
LATE = {"expired": "finished", "failed": "confirming", "finished": "refunded"}
"""What no re-read of open payments finds."""
NEXT_DEPOSIT = {"0": ("1", "8"), "1": ("2", "12"), "8": ("0", "14"), "12": ("2",), "14": ("2",)}
LATE_DEPOSIT = {"2": "12"}
OFTEN = (
    "open", "open", "repeat", "advance", "advance", "advance", "advance", "late", "touch", "purge", "restore", "spoil",
)  # fmt: skip
SURPRISES = frozenset({"late", "purge", "restore", "spoil"})
"""Only a sweep finds these."""
BAD_AMOUNT = "much"


class CryptoWorld(World):
    """What both have in common."""

    resource: ResourceSpec
    amount: str
    row_of: Callable[[Json], Row]

    def __init__(self, *, quiet: bool) -> None:
        super().__init__([self.resource.name], quiet=quiet)
        self.often: Sequence[str] = OFTEN
        self._made = 0
        self._purged: dict[str, Json] = {}

    def spec(self, resource: str) -> ResourceSpec:
        assert resource == self.resource.name
        return self.resource

    def act(self, what: str, chance: random.Random, *, told: bool) -> None:
        del told  # there is no feed
        if self.quiet and what in SURPRISES:
            return
        getattr(self, f"_{what}")(chance)

    def version(self, resource: str, at: datetime, parts: tuple[Json, ...], obj: Json | None) -> Version:
        del resource
        if obj is None:
            return Version(at, None, None, True, parts)
        told = parse_json(orjson.dumps(self.shown(obj)), where="the sandbox")
        try:
            row = type(self).row_of(told)
        except PermanentError:
            return Version(at, None, None, False, parts)
        return Version(at, row, canonical_bytes(told).decode(), False, parts)

    def shown(self, obj: Json) -> Json:
        """As the list shows it."""
        return obj

    def heal(self) -> None:
        with self.state.lock:
            for name, one in list(self._objects.items()):
                if one[self.amount] == BAD_AMOUNT:
                    self._change(name, {self.amount: one["right_amount"]})
            self.note()

    @property
    def _objects(self) -> Store:
        return self.store(self.resource.name)

    def _pick(self, chance: random.Random, wanted: Callable[[Json], bool]) -> str:
        return self.choose(chance, self.resource.name, lambda one: one[self.amount] != BAD_AMOUNT and wanted(one))

    def _change(self, name: str, what: Json) -> None:
        self._objects[name] = {**self._objects[name], **what}

    def _purge(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda _one: True)
        self._purged[name] = self._objects.pop(name)

    def _restore(self, chance: random.Random) -> None:
        if self._purged:
            name = chance.choice(sorted(self._purged))
            self._objects[name] = self._purged.pop(name)

    def _spoil(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda _one: True)
        self._change(name, {self.amount: BAD_AMOUNT, "right_amount": self._objects[name][self.amount]})


class NowPaymentsWorld(CryptoWorld):
    """NOWPayments over time.

    Args:
        email: the log-in, by which the account is known.
    """

    provider, resource, amount = "nowpayments", PAYMENTS, "price_amount"
    row_of = staticmethod(payment_row)

    def __init__(self, email: str, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self.state.nowpayments.email = email

    @property
    def account(self) -> str:
        return key_fingerprint("np", self.state.nowpayments.email)

    def created(self, version: Version) -> datetime:
        return as_moment(version.parts[0]["created_at"])

    def called(self, resource: str, object_id: str) -> Fault:
        del resource
        return Fault(self.provider, "server_error", f"/v1/payment/{object_id}")

    def store(self, resource: str) -> Store:
        del resource
        return self.state.nowpayments.payments

    def shown(self, obj: Json) -> Json:
        return listed(obj)

    def _open(self, chance: random.Random, parent: str | None = None) -> None:
        del chance
        self._made += 1
        number, now = str(5_000_000_000 + self._made), self.time.peek()
        self._objects[number] = nowpayments_payment(
            number, status="waiting", price=Decimal(20), price_currency="usd", pay_amount=Decimal(20),
            actually_paid=Decimal(0), order_id=f"order-{parent or number}", address="TAddress", tx_hash=None,
            created=now, updated=now, parent_id=parent,
        )  # fmt: skip

    def _repeat(self, chance: random.Random) -> None:
        """Another deposit to the address of a payment."""
        self._open(chance, self._pick(chance, lambda one: one["parent_payment_id"] is None))

    def _advance(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda one: one["payment_status"] in NEXT)
        self._move(name, chance.choice(NEXT[self._objects[name]["payment_status"]]))

    def _late(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda one: one["payment_status"] in LATE)
        self._move(name, LATE[self._objects[name]["payment_status"]])

    def _touch(self, chance: random.Random) -> None:
        """More is paid of an open one, and nothing else changes."""
        name = self._pick(chance, lambda one: one["payment_status"] in NEXT)
        self._change(name, {"actually_paid": float(chance.randrange(20))})

    def _move(self, name: str, status: str) -> None:
        now = self.time.peek().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self._change(name, {"payment_status": status, "updated_at": now, "actually_paid": 20.0})


class OkxWorld(CryptoWorld):
    """OKX over time.

    Args:
        uid: the account's.
    """

    provider, resource, amount = "okx", DEPOSITS, "amt"
    row_of = staticmethod(deposit_row)

    def __init__(self, uid: str, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self.state.okx.uid = uid

    @property
    def account(self) -> str:
        return self.state.okx.uid

    def created(self, version: Version) -> datetime:
        return as_moment(version.parts[0]["ts"])

    def called(self, resource: str, object_id: str) -> Fault:
        del resource
        return Fault(self.provider, "server_error", "/api/v5/asset/deposit-history", query=f"depId={object_id}")

    def store(self, resource: str) -> Store:
        del resource
        return self.state.okx.deposits

    def _open(self, chance: random.Random) -> None:
        del chance
        self._made += 1
        self.time.pass_by(0.001)  # the exchange can't page within one millisecond
        number = str(900_000 + self._made)
        now = self.time.peek()
        made = okx_deposit(number, state="0", amount=Decimal("12.5"), address="TAddress", tx_hash=f"0x{number}", at=now)
        self._objects[number] = {**made, "ts": str(round(now.timestamp() * 1000))}

    _repeat = _open

    def _advance(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda one: one["state"] in NEXT_DEPOSIT)
        self._change(name, {"state": chance.choice(NEXT_DEPOSIT[self._objects[name]["state"]])})

    def _late(self, chance: random.Random) -> None:
        name = self._pick(chance, lambda one: one["state"] in LATE_DEPOSIT)
        self._change(name, {"state": LATE_DEPOSIT[self._objects[name]["state"]]})

    def _touch(self, chance: random.Random) -> None:
        """One more confirmation."""
        name = self._pick(chance, lambda one: one["state"] in NEXT_DEPOSIT)
        self._change(name, {"actualDepBlkConfirm": str(chance.randrange(20))})
