"""Runs 0023_more_words.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_revision(__file__)
