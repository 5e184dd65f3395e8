"""Objects that come with the bytes they were last read from are not parsed; nothing else about a fetch changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import load_settings
from payments_pipeline.errors import MalformedObjectError
from payments_pipeline.ingest import known, staging
from payments_pipeline.ingest import snapshot as fetching
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.base import Account, Columned, Sliced
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.providers.stripe_slices import told
from payments_pipeline.sandbox.objects import stripe_charge, stripe_intent
from payments_pipeline_tests.ingest.provider import OneList
from payments_pipeline_tests.ingest.served import MONTH, NOW
from payments_pipeline_tests.providers.conversation import conversation

OURS = Account("stripe", "acct_1", livemode=False)
RECEIPT = "https://pay.stripe.com/receipts/payment/"
TEXTS = [
    "plan", "null", ",", '"', "a,b", '"quoted", twice', "back\\slash", "\\N", "\\.", "line\nbreak", "a\r\nb",
    "tab\there", "'", "{1,2}", "true", "Größe 東京 🎉", " blank around ", "\x7f\u2028", "12.50",
]  # fmt: skip


def intent(number: int, **changes: Any) -> dict[str, Any]:
    at = NOW - timedelta(days=number)
    made = stripe_intent(
        f"pi_{number}", amount=1000, currency="usd", created=at, status="succeeded", customer=None, metadata={},
        description="plan",
    )  # fmt: skip
    charge = stripe_charge(f"ch_{number}", made, created=at, last4="4242", captured=1000)
    return made | {"latest_charge": charge} | changes


@dataclass
class Listed:
    """A Stripe whose list is these bytes; notes which objects our code parsed.

    Attributes:
        bodies: objects in the order of the list, each as it is sent.
    """

    bodies: list[bytes]
    parsed: list[str] = field(default_factory=list)

    def read(self, engine: Engine, *, minutes: int = 0, keep_raw: bool = True, mode: str = "sweep") -> Coverage:
        """One complete fetch, some minutes after NOW."""
        at = NOW + timedelta(minutes=minutes)

        def script(path: str, _query: dict[str, str]) -> tuple[int, bytes]:
            if path == "/v1/payment_intents":
                return 200, b'{"object":"list","has_more":false,"data":[%s]}' % b",".join(self.bodies)
            found = [body for body in self.bodies if path.endswith(f"/{orjson.loads(body)['id']}")]
            return (200, found[0]) if found else (404, b'{"error":{"code":"resource_missing"}}')

        with conversation(script) as talk:
            settings = load_settings(_env_file=None, stripe_api_key="sk_test_1", stripe_api_base=talk.base_url)
            resource = StripeProvider(settings, lambda: at, sleep=lambda _: None).resources["payment_intents"]
            assert isinstance(resource, Columned)
            self.parsed.clear()
            return snapshot(
                engine, OneList(Watched(resource, self.parsed)), OURS, "payment_intents", MONTH,
                as_of=at, mode=mode, run_id=None, clock=lambda: at, keep_raw=keep_raw,
            )  # fmt: skip


class Watched:
    """A resource that notes what is parsed of its slices."""

    def __init__(self, real: Columned, parsed: list[str]) -> None:
        self.spec, self.pages, self.read, self.object_id, self.row, self.sliced, self.columns_of = (
            real.spec, real.pages, real.read, real.object_id, real.row, real.sliced, real.columns_of,
        )  # fmt: skip
        self._real, self._parsed = real, parsed

    def parsed(self, raw: bytes) -> Any:
        obj = self._real.parsed(raw)
        self._parsed.append(obj["id"])
        return obj


@pytest.fixture
def listed() -> Listed:
    return Listed([orjson.dumps(intent(number)) for number in (1, 2, 3)])


def rows(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT object_id, status, xmin::text FROM recon.stripe_payment_intents ORDER BY object_id")
        )
        return [tuple(row) for row in found]


def whole_rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM recon.stripe_payment_intents ORDER BY object_id"))
        return [dict(row) for row in found.mappings()]


def forget(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE recon.stripe_payment_intents, recon.raw_json, recon.coverage CASCADE"))


def test_unchanged_objects_are_neither_parsed_nor_written(engine: Engine, listed: Listed) -> None:
    assert listed.read(engine).rows_written == 3
    assert listed.parsed == ["pi_1", "pi_2", "pi_3"]
    before = rows(engine)
    made = listed.read(engine, minutes=5)
    assert (made.objects, made.rows_written, made.complete, listed.parsed) == (3, 0, True, [])
    assert rows(engine) == before


def test_objects_of_one_second_that_come_in_several_batches_are_known_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BATCH", 3)
    listed = Listed([orjson.dumps(intent(1, id=f"pi_{number}")) for number in range(8)])
    assert listed.read(engine).rows_written == 8
    made = listed.read(engine, minutes=5)
    assert (made.objects, made.rows_written, made.complete, listed.parsed) == (8, 0, True, [])


def test_a_batch_that_lies_scattered_among_what_is_stored_is_parsed_and_written_no_more_than_another(
    engine: Engine, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed.read(engine)
    monkeypatch.setattr(known, "CROWDED", 1)
    made = listed.read(engine, minutes=5)
    assert (made.rows_written, made.complete) == (0, True)
    assert listed.parsed == ["pi_1", "pi_2", "pi_3"]


def test_a_wide_range_is_not_read_to_its_end_in_search_of_objects_that_a_list_brought(
    engine: Engine, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed.bodies = [orjson.dumps(intent(number)) for number in range(1, 13)]
    listed.read(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.stripe_payment_intents SET seen = NULL"))
    spans: list[tuple[Any, ...]] = []
    run = staging.Stage.run

    def noted(self: staging.Stage, name: str, *args: Any, **named: Any) -> Any:
        found = run(self, name, *args, **named)
        if name == "stage_known_span":
            spans.append(found.fetchall()[0])
            found.scroll(0, "absolute")
        return found

    monkeypatch.setattr(staging.Stage, "run", noted)
    listed.bodies = [listed.bodies[0], listed.bodies[-1]]
    listed.read(engine, minutes=5)
    assert spans == [(2 * known.CROWDED, None, None)]


@pytest.mark.parametrize("created", ["soon", None, 1.5, 10**30, -(10**30)])
def test_an_object_without_a_time_of_its_own_leaves_the_others_unparsed(
    engine: Engine, listed: Listed, created: object
) -> None:
    listed.read(engine)
    listed.bodies.append(json.dumps(intent(4) | {"created": created}).encode())
    listed.read(engine, minutes=5)
    assert set(listed.parsed) <= {"pi_4"}
    assert len(rows(engine)) == 3


def test_only_the_changed_object_is_parsed_and_replaced(engine: Engine, listed: Listed) -> None:
    listed.read(engine)
    listed.bodies[1] = orjson.dumps(intent(2, status="canceled"))
    assert listed.read(engine, minutes=5).rows_written == 1
    assert listed.parsed == ["pi_2"]
    assert [row[1] for row in rows(engine)] == ["succeeded", "canceled", "succeeded"]


def test_without_raw_json_an_object_need_not_be_parsed_to_be_stored(engine: Engine, listed: Listed) -> None:
    listed.bodies[1] = orjson.dumps(intent(2, metadata={"user_id": 7}))  # a number, where Stripe has texts
    listed.bodies[2] = orjson.dumps(intent(3, currency="none"), option=orjson.OPT_INDENT_2)
    assert listed.read(engine, keep_raw=False).rows_written == 3
    assert listed.parsed == ["pi_2"]
    found = whole_rows(engine)
    forget(engine)
    listed.read(engine)
    assert [{**row, "digest": 0, "seen": 0} for row in whole_rows(engine)] == [
        {**row, "digest": 0, "seen": 0} for row in found
    ]


@pytest.mark.parametrize("keep_raw", [True, False])
@pytest.mark.parametrize("mode", ["sweep", "backfill"])
def test_texts_are_stored_as_they_came(
    engine: Engine, listed: Listed, monkeypatch: pytest.MonkeyPatch, mode: str, keep_raw: bool
) -> None:
    texts = [*TEXTS, *(text[::-1] for text in TEXTS)]
    listed.bodies = [
        orjson.dumps(intent(1 + number % 20, id=f"pi_{number}", description=words))
        for number, words in enumerate(texts)
    ]
    for waiting in (1000, 0):
        monkeypatch.setattr(staging, "WAITING", waiting)
        made = listed.read(engine, keep_raw=keep_raw, mode=mode)
        assert (made.rows_written, made.rejected, made.complete) == (len(texts), 0, True)
        stored = {row["object_id"]: row for row in whole_rows(engine)}
        assert [stored[f"pi_{number}"]["description"] for number in range(len(texts))] == texts
        assert {row["card_network"] for row in stored.values()} == {"visa"}
        with engine.connect() as connection:
            bodies = connection.execute(text("SELECT object_id, body ->> 'description' FROM recon.raw_json")).all()
        kept = {f"pi_{number}": words for number, words in enumerate(texts)} if keep_raw else {}
        assert {row[0]: row[1] for row in bodies} == kept
        forget(engine)


def test_other_white_space_and_order_of_fields_are_no_change(engine: Engine, listed: Listed) -> None:
    listed.read(engine)
    before = rows(engine)
    turned = dict(reversed(intent(2).items()))
    listed.bodies[1] = orjson.dumps(turned, option=orjson.OPT_INDENT_2)
    assert listed.read(engine, minutes=5).rows_written == 0
    assert listed.parsed == ["pi_2"]
    assert rows(engine) == before


def test_a_reading_confirmed_by_its_bytes_is_not_undone_by_an_older_one(engine: Engine, listed: Listed) -> None:
    listed.read(engine)
    listed.read(engine, minutes=5)
    listed.bodies[0] = orjson.dumps(intent(1, status="processing"))
    assert listed.read(engine, minutes=3).rows_written == 0
    assert rows(engine)[0][1] == "succeeded"


def test_a_vanished_object_comes_back_with_the_same_bytes(engine: Engine, listed: Listed) -> None:
    listed.read(engine)
    gone = listed.bodies.pop(1)
    assert listed.read(engine, minutes=5).rows_written == 1
    listed.bodies.append(gone)
    assert listed.read(engine, minutes=10).rows_written == 1
    with engine.connect() as connection:
        vanished = "SELECT count(*) FROM recon.stripe_payment_intents WHERE vanished_at IS NOT NULL"
        assert connection.execute(text(vanished)).scalar() == 0


def test_keeping_raw_json_from_now_on_brings_the_bodies_of_unchanged_objects(engine: Engine, listed: Listed) -> None:
    listed.read(engine, keep_raw=False)
    assert listed.read(engine, minutes=5).rows_written == 3
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM recon.raw_json")).scalar() == 3


def test_a_live_object_behind_a_test_key_is_refused_before_it_is_parsed(engine: Engine, listed: Listed) -> None:
    listed.read(engine)
    listed.bodies[2] = orjson.dumps(intent(3, livemode=True))
    made = listed.read(engine, minutes=5)
    assert "live mode" in (made.error or "")
    assert (made.rows_written, listed.parsed) == (0, [])


def test_an_object_with_bytes_that_are_no_text_is_set_aside_by_its_id(engine: Engine, listed: Listed) -> None:
    listed.bodies[1] = listed.bodies[1].replace(b"plan", b"pl\xff\xfen")
    made = listed.read(engine)
    assert (made.rows_written, made.rejected) == (2, 1)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT object_id, reason FROM recon.rejected_objects")).one()
    assert tuple(found) == ("pi_2", "The object is not JSON.")


def test_an_object_without_id_leaves_the_others_of_its_page(engine: Engine, listed: Listed) -> None:
    listed.bodies[1] = b'{"object":"payment_intent"}'
    made = listed.read(engine)
    assert (made.rows_written, made.rejected, made.complete) == (2, 1, False)


def receipts(token: str) -> Iterator[dict[str, Any]]:
    for number in (1, 2):
        made = intent(number)
        yield made | {
            "latest_charge": made["latest_charge"]
            | {"receipt_number": None, "receipt_url": f"{RECEIPT}{token}{number}"}
        }


def in_stripes_order(obj: dict[str, Any]) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)


def test_receipt_links_new_at_each_read_do_not_make_objects_look_changed(engine: Engine, listed: Listed) -> None:
    listed.bodies = [in_stripes_order(one) for one in receipts("first")]
    listed.read(engine)
    listed.bodies = [in_stripes_order(one) for one in receipts("second")]
    assert listed.read(engine, minutes=5).rows_written == 0
    assert listed.parsed == []


@pytest.mark.parametrize(
    "obj",
    [
        {"description": f'"receipt_number":null,"receipt_url":"{RECEIPT}a"'},
        {"metadata": {"receipt_url": f"{RECEIPT}a"}},
        {"receipt_number": None, "receipt_url": "https://example.com/a"},
    ],
)
def test_what_only_looks_like_a_receipt_link_counts(obj: dict[str, Any]) -> None:
    assert told(orjson.dumps(obj)) == orjson.dumps(obj)


def test_an_intent_that_only_names_its_charge_is_always_read_with_its_charge() -> None:
    bodies = {
        "/v1/payment_intents": {"data": [intent(1, latest_charge="ch_1")], "has_more": False},
        "/v1/charges/ch_1": {"id": "ch_1", "captured": True},
    }
    with conversation(lambda path, _query: (200, orjson.dumps(bodies[path]))) as talk:
        settings = load_settings(_env_file=None, stripe_api_key="sk_test_1", stripe_api_base=talk.base_url)
        resource = StripeProvider(settings, lambda: NOW).resources["payment_intents"]
        assert isinstance(resource, Sliced)
        (page,) = resource.sliced(MONTH)
    assert not page.slices
    assert page.objects[0]["latest_charge"] == bodies["/v1/charges/ch_1"]


def test_bytes_that_are_no_json_are_a_malformed_object() -> None:
    settings = load_settings(_env_file=None, stripe_api_key="sk_test_1")
    resource = StripeProvider(settings, lambda: NOW).resources["refunds"]
    assert isinstance(resource, Sliced)
    with pytest.raises(MalformedObjectError):
        resource.parsed(b'{"id":"re_1","reason":"\xff"}')
