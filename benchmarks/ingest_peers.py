"""What a user would write instead of our ingestion: stripe's auto-paging with pandas, and dlt.

Belongs here: the peers, reading the same endpoint into the same columns of the same PostgreSQL. Does not belong here:
what is measured of them (bench_ingest.py). dlt's pages come through its own REST client.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dlt
import pandas as pd
import pyarrow as pa
import stripe
from dlt.sources.helpers.rest_client import RESTClient
from sqlalchemy import Engine

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

KEY = "sk_test_bench"
PATH = "/v1/payment_intents"
TEXT, MONEY, TIME, FLAG = pa.string(), pa.decimal128(38, 2), pa.timestamp("us", "UTC"), pa.bool_()
COLUMNS = {
    "object_id": TEXT, "status": TEXT, "cancellation_reason": TEXT, "currency": TEXT, "amount": MONEY,
    "amount_received": MONEY, "amount_capturable": MONEY, "capture_method": TEXT, "customer_id": TEXT,
    "metadata_user_id": TEXT, "metadata_payment_id": TEXT, "metadata_app": TEXT, "description": TEXT,
    "last_error_code": TEXT, "created_at": TIME, "canceled_at": TIME, "charge_id": TEXT, "charge_status": TEXT,
    "charge_captured": FLAG, "charge_created_at": TIME, "charge_amount_captured": MONEY,
    "charge_amount_refunded": MONEY, "charge_refunded": FLAG, "charge_disputed": FLAG, "capture_before": TIME,
    "card_network": TEXT,
}  # fmt: skip
SCHEMA = pa.schema(list(COLUMNS.items()))


def flat(intent: Any) -> dict[str, Any]:
    """The columns of one PaymentIntent, without any check."""
    charge = intent.get("latest_charge") or {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    metadata = intent.get("metadata") or {}
    return {
        "object_id": intent["id"],
        "status": intent["status"],
        "cancellation_reason": intent.get("cancellation_reason"),
        "currency": intent["currency"],
        "amount": _money(intent["amount"]),
        "amount_received": _money(intent.get("amount_received")),
        "amount_capturable": _money(intent.get("amount_capturable")),
        "capture_method": intent.get("capture_method"),
        "customer_id": intent.get("customer"),
        "metadata_user_id": metadata.get("user_id"),
        "metadata_payment_id": metadata.get("payment_id"),
        "metadata_app": metadata.get("app"),
        "description": intent.get("description"),
        "last_error_code": (intent.get("last_payment_error") or {}).get("code"),
        "created_at": _time(intent["created"]),
        "canceled_at": _time(intent.get("canceled_at")),
        "charge_id": charge.get("id"),
        "charge_status": charge.get("status"),
        "charge_captured": charge.get("captured"),
        "charge_created_at": _time(charge.get("created")),
        "charge_amount_captured": _money(charge.get("amount_captured")),
        "charge_amount_refunded": _money(charge.get("amount_refunded")),
        "charge_refunded": charge.get("refunded"),
        "charge_disputed": charge.get("disputed"),
        "capture_before": _time(card.get("capture_before")),
        "card_network": card.get("network"),
    }


def auto_paging(engine: Engine, base: str, objects: int) -> None:
    """stripe's auto_paging_iter over the newest `objects` intents, then DataFrame.to_sql, without raw JSON."""
    client = stripe.StripeClient(KEY, base_addresses={"api": base})
    found = client.v1.payment_intents.list({"limit": 100, "expand": ["data.latest_charge"]})
    rows = []
    for intent in found.auto_paging_iter():
        rows.append(flat(intent.to_dict()))
        if len(rows) == objects:
            break
    pd.DataFrame(rows).to_sql("peer_sdk", engine, if_exists="replace", index=False)
    assert len(rows) == objects, len(rows)


def dlt_arrow(engine: Engine, base: str, objects: int) -> None:
    """A dlt pipeline that yields Arrow tables, one a page, without raw JSON."""

    def tables() -> Iterator[pa.Table]:
        for page in _pages(base, objects):
            yield pa.Table.from_pylist([flat(intent) for intent in page], schema=SCHEMA)

    _run(engine, "peer_arrow", dlt.resource(tables(), name="intents"))


def dlt_raw(engine: Engine, base: str, objects: int) -> None:
    """A dlt pipeline that yields dicts with the same columns and the raw object as one json column."""

    def rows() -> Iterator[list[dict[str, Any]]]:
        for page in _pages(base, objects):
            yield [flat(intent) | {"body": intent} for intent in page]

    _run(engine, "peer_raw", dlt.resource(rows(), name="intents", columns={"body": {"data_type": "json"}}))


def _pages(base: str, objects: int) -> Iterator[list[dict[str, Any]]]:
    client = RESTClient(base_url=base, headers={"Authorization": f"Bearer {KEY}"})
    params: dict[str, Any] = {"limit": 100, "expand[]": "data.latest_charge"}
    left = objects
    while left > 0:
        answer = client.get(PATH, params=params).json()
        yield answer["data"]
        left -= len(answer["data"])
        if not answer["has_more"]:
            break
        params["starting_after"] = answer["data"][-1]["id"]
    assert left <= 0, left


def _run(engine: Engine, name: str, resource: Any) -> None:
    host, database = engine.url.query.get("host") or engine.url.host, engine.url.database
    credentials = f"postgresql://{engine.url.username}:none@localhost:{engine.url.port or 5432}/{database}?host={host}"
    with tempfile.TemporaryDirectory(prefix="bench_dlt_") as folder:
        pipeline = dlt.pipeline(
            name, destination=dlt.destinations.postgres(credentials), dataset_name=name, pipelines_dir=folder
        )
        pipeline.run(resource, write_disposition="replace", primary_key="object_id")


def _money(minor: int | None) -> Decimal | None:
    return None if minor is None else Decimal(minor).scaleb(-2)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
