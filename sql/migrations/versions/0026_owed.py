"""Runs 0026_owed.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_revision(__file__)
