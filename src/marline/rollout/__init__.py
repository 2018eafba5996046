"""Store to cluster: what an environment's release file and the store say, as values of the chart and as manifests.

- ``facts``: what a release needs to know of an artifact, read from the store
- ``lock``: the same, written down beside the release, and compared with the store
- ``server``: the model's ``serving``, the release and the facts to the server's settings and memory
- ``capacity``: measured times to requests per second, and to the share of them that a pod should carry
- ``scaling``: the autoscaler, its signal and its target
- ``placement``: what was measured and what is required to the nodes that qualify
- ``values``: all of it to the chart's values
- ``salvage``: the valid parts of an invalid release, so that every problem is found at once
- ``plan``: a release file to values, or to every problem
- ``text``: values to deterministic YAML
- ``render``: chart and values to objects
- ``kustomize``: objects of several environments to a base and overlays
"""
