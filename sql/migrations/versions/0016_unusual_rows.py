"""Runs 0016_unusual_rows.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_revision(__file__)
