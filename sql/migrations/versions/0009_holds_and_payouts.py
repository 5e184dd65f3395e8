"""Runs 0009_holds_and_payouts.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_revision(__file__)
