"""Artifacts to store: manifest, deterministic ``.mar``, digests, registry.

- ``handlers``: where the TorchServe handlers and handlerkit lie
- ``torchscript``: TorchScript files without the traces of the machine that saved them
- ``pt2``: packages of AOTInductor without the traces of the machine that compiled them
- ``mar``: a directory and a manifest as one archive, the same bytes every time
- ``store``: what was published: read, verified, unpacked
- ``staging``: how it gets there: whole or not at all, and never changed afterwards
- ``ledger``: ``registry.json``, each version's stage and the history of stages
- ``registry``: list, show, diff, promote, rollback, gc
- ``pipeline``: spec -> build -> gate -> store
"""
