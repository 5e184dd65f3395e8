"""Runs 0018_stats.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_revision(__file__)
