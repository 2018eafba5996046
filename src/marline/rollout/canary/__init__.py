"""A rollout: traffic from one endpoint of a release to another, step by step, judged, and back by itself.

- ``plan``: what a rollout is to do, decided when it starts and never changed
- ``start``: the plan from a release file and what is deployed
- ``state``: how far it has come; ``record``: what happened, for people
- ``store``: both in a ConfigMap, with orders from people
- ``lease``: one driver at a time
- ``pods``, ``golden``: whether a version may get traffic
- ``topup``: requests to both versions, compared
- ``guard``: what ends a step without statistics
- ``driver``: does it, phase by phase: ``phases``, ``watching``, with ``hands`` for the release, until it ``ends``
- ``job``: the same in the cluster
- ``status``: cluster, Helm and release file beside each other
"""
