"""Runs 0022_two_people.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_revision(__file__)
