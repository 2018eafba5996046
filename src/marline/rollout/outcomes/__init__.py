"""A/B by outcomes: what became of each request, joined with the endpoint that answered it, to a verdict that may be
looked at as often as one likes.

- ``files``: JSON lines of a file, or of a command's standard output
- ``exposures``, ``results``: what the lines say
- ``join``: both by request id, with a count of all that does not fit
- ``blocks``: the two arms' outcomes of the same time, compared
- ``interval``: the confidence sequence of their difference
- ``judge``: the verdict
- ``compare``: all of it; ``text``: for people
"""

from marline.rollout.outcomes.compare import compare
from marline.rollout.outcomes.join import Counts, Joined, join
from marline.rollout.outcomes.judge import Arm, Judgement, Terms, judge
from marline.rollout.outcomes.text import lines

__all__ = ["Arm", "Counts", "Joined", "Judgement", "Terms", "compare", "join", "judge", "lines"]
