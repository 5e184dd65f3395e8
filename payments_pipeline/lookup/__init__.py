"""Everything that is known about one user or one payment, read from both sides and put in one order of time.

Belongs here: finding what a person's word means, gathering, and the timeline. Does not belong here: laying it out
(present_stories.py), or judging: what is wrong is said by the findings.
"""

from payments_pipeline.lookup.stories import Story, payment_story, user_story
from payments_pipeline.lookup.timeline import Moment, timeline

__all__ = ["Moment", "Story", "payment_story", "timeline", "user_story"]
