"""Runs 0008_entitlements.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_revision(__file__)
