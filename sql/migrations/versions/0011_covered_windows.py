"""Runs 0011_covered_windows.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_revision(__file__)
