"""Helm's releases as a rollout needs them: what is deployed, and new values for it with the chart that it has.

- ``releases``: revisions of a release, as Helm keeps them in Secrets
- ``charts``: the chart inside a revision, as the folder that Helm takes
- ``upgrade``: an upgrade by Helm itself, and what a killed one leaves behind
- ``routes``: the weights in a release's HTTPRoute
"""
