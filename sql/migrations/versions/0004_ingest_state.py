"""Runs 0004_ingest_state.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_revision(__file__)
