"""The directory that TorchServe takes for its own: upstream's files, our metrics, and our worker in place of upstream's.

The frontend starts ``<home>/ts/model_service_worker.py`` and reads ``<home>/ts/configs/metrics.yaml``; nothing
else of a home is used.  Pointing it elsewhere exchanges the worker without touching the installed package.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from handlerkit.serving import CACHE_METRICS

WORKER = Path(__file__).parent / "worker" / "main.py"


def furnish(home: Path, installed: Path) -> None:
    """Fill a home.

    Args:
        home: must not exist.
        installed: the ``ts`` package of TorchServe.
    """
    package = home / "ts"
    (package / "configs").mkdir(parents=True)
    (package / "version.txt").symlink_to(installed / "version.txt")
    (package / "model_service_worker.py").symlink_to(WORKER)
    metrics = yaml.safe_load((installed / "configs" / "metrics.yaml").read_text(encoding="utf-8"))
    # what is not declared is not counted
    metrics["model_metrics"]["counter"] = [
        {"name": name, "unit": "count", "dimensions": ["ModelName", "Level"]} for name in CACHE_METRICS
    ]
    text = yaml.safe_dump(metrics, sort_keys=False)
    (package / "configs" / "metrics.yaml").write_text(text, encoding="utf-8")
