"""Runs 0020_few_suspects.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_revision(__file__)
