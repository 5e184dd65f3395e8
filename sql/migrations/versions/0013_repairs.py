"""Runs 0013_repairs.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_revision(__file__)
