"""Runs 0001_recon_schema.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_revision(__file__)
