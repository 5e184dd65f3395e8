"""Runs 0014_repairs.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0014"
down_revision = "0011"


def upgrade() -> None:
    run_revision(__file__)
