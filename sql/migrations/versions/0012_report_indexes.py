"""Runs 0012_report_indexes.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_revision(__file__)
