"""The providers' own words are dropped when they are old; rows, and what was read since, stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.ingest import retention
from payments_pipeline.ingest.retention import Forgotten, forget_bodies
from payments_pipeline_tests.conftest import AS_OF

FILL = text("""
    INSERT INTO recon.raw_json (provider, account, resource, object_id, body, read_at)
    SELECT
        'stripe', 'acct_1', 'refunds', concat('re_', n), cast(concat('"', repeat('x', 1500), '"') AS json),
        cast(:newest AS timestamptz) - n * interval '1 day'
    FROM generate_series(0, 99) AS n
""")


@pytest.fixture
def bodies(engine: Engine) -> Engine:
    """A hundred, one a day, over some tens of pages."""
    with engine.begin() as connection:
        connection.execute(FILL, {"newest": AS_OF})
    return engine


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM recon.raw_json")).scalar_one())


def test_what_was_read_before_is_dropped_and_a_repetition_finds_nothing(bodies: Engine) -> None:
    before = AS_OF - timedelta(days=30)
    assert forget_bodies(bodies, before=before, most=1000, dry_run=False) == Forgotten(69, True)
    assert count(bodies) == 31
    assert forget_bodies(bodies, before=before, most=1000, dry_run=False) == Forgotten(0, True)


def test_a_dry_run_counts_the_same_and_drops_nothing(bodies: Engine) -> None:
    assert forget_bodies(bodies, before=AS_OF - timedelta(days=30), most=1000, dry_run=True) == Forgotten(69, True)
    assert count(bodies) == 100


def test_a_run_ends_after_its_share_and_the_next_takes_the_rest(
    bodies: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STRETCH", 1)
    first = forget_bodies(bodies, before=AS_OF, most=20, dry_run=False)
    assert not first.finished
    assert 20 <= first.bodies < 99
    assert forget_bodies(bodies, before=AS_OF, most=1000, dry_run=False) == Forgotten(99 - first.bodies, True)


def test_an_empty_table_costs_nothing(engine: Engine) -> None:
    assert forget_bodies(engine, before=AS_OF, most=10, dry_run=False).bodies == 0
