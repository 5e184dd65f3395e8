"""Runs 0024_invoices.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_revision(__file__)
