"""Runs 0010_deposit_matches.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_revision(__file__)
