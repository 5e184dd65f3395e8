"""Runs 0005_rate_limits.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_revision(__file__)
