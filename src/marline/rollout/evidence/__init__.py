"""What Prometheus has scraped of two groups of pods, as the series that :mod:`marline.rollout.analysis` judges.

- ``sources``: which counters are read, and the queries that ask for them
- ``asking``: one question to Prometheus, one answer or one reason
- ``samples``: the answer's text as numbers with labels
- ``series``: samples as one series per pod, comparable between the arms
- ``look``: the two questions of a look, and what is missing in their answers
"""

from marline.rollout.evidence.look import Look, Prometheus

__all__ = ["Look", "Prometheus"]
