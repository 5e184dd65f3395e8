"""Runs 0027_owed.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    run_revision(__file__)
