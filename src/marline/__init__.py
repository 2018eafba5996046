"""marline: from one model spec to measured, gated TorchServe archives, and on to Kubernetes.

The rooms, left to right; a room imports only rooms to its left, and ``handlerkit`` stands under all:

    spec      text -> types: strict YAML, every error at once, naming file and key
    build     types -> artifacts: sources, training, variants, gate, report
    artifact  artifacts -> store: manifest, deterministic .mar, registry, the build pipeline
    serve     store -> process: derived configuration and a running TorchServe
    cli       argument -> call -> print

Every arrow is one function, callable alone::

    from pathlib import Path
    from marline.artifact.pipeline import build_model
    from marline.artifact.store import Store
    from marline.spec import load_compat, load_model_spec

    spec = load_model_spec("sentiment")
    result = build_model(spec, Path("config/models"), Store("model_store"), load_compat(), print)
    print(result.report["default_variant"])
"""

__version__ = "0.1.0"
