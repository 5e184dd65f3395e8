"""Runs 0002_state_map.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_revision(__file__)
