"""Runs 0025_checkouts_by_id.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_revision(__file__)
