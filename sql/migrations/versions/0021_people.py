"""Runs 0021_people.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_revision(__file__)
