"""Where an incremental run begins that has no watermark of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from payments_pipeline.ingest.watermarks import FIRST_LOOK_BACK, Progress, starting_point
from payments_pipeline_tests.conftest import AS_OF


def test_without_a_watermark_the_first_gap_between_other_lists_is_where_it_begins() -> None:
    ends = [AS_OF - timedelta(days=number) for number in (40, 10, 2)]
    known = Progress(None, None, ends, ends[0])
    assert starting_point(known, AS_OF).listed_to == ends[1]
    assert starting_point(replace(known, covered_to=ends[:1]), AS_OF).listed_to == AS_OF - FIRST_LOOK_BACK
    assert starting_point(replace(known, listed_to=ends[2]), AS_OF).listed_to == ends[2]
