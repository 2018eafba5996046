"""From a name or path to a validated spec, with every problem at once."""

from __future__ import annotations

from pathlib import Path

from marline.errors import SpecError
from marline.spec.explain import validate
from marline.spec.model import ModelSpec
from marline.spec.named import is_file, resolve
from marline.spec.yaml import Document, read_yaml

MODELS_DIR = Path("config/models")
MADE_BY_TRAIN = ("trained", "calibration", "golden")


def resolve_spec_path(name: str | Path) -> Path:
    """``sentiment`` or a path to a YAML file, as a path.

    Raises:
        SpecError: when there is no such file, listing the specs there are.
    """
    return resolve(name, MODELS_DIR, "spec")


def load_model_spec(name: str | Path, *, untrained: bool = False) -> ModelSpec:
    """Parse and validate one model spec.

    Args:
        name: a spec's name in ``config/models``, or a path to a YAML file.
        untrained: do not ask for the files that ``marline train`` is about to make.

    Raises:
        SpecError: all problems, each naming file, line, key, what was found and what is allowed.
    """
    document = read_yaml(resolve_spec_path(name))
    spec = validate(ModelSpec, document)
    if missing := _missing_files(document, spec, untrained):
        raise SpecError(missing)
    return spec


def _missing_files(document: Document, spec: ModelSpec, untrained: bool) -> list[str]:
    base = document.path.parent
    problems = []
    for key in () if untrained else MADE_BY_TRAIN:
        value = getattr(spec, key)
        if value is not None and not is_file(base / value.file):
            problems.append(
                f"{document.where((key, 'file'))}: {base / value.file} does not exist; "
                f"make it with `marline train {spec.name}` or correct the path"
            )
    if spec.source.kind == "file" and not is_file(base / spec.source.path, or_folder=True):
        problems.append(
            f"{document.where(('source', 'path'))}: {base / spec.source.path} does not exist; "
            "put the model there or correct the path"
        )
    if spec.source.kind == "hub" and spec.source.local and not is_file(base / spec.source.local, or_folder=True):
        problems.append(
            f"{document.where(('source', 'local'))}: {base / spec.source.local} does not exist; "
            "put the downloaded copy there or remove the key"
        )
    return problems
