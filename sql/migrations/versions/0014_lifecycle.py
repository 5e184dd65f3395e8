"""Runs 0014_lifecycle.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_revision(__file__)
