"""Objects of several environments as one base and an overlay for each.

The base holds the objects of one environment, without namespace, image and Helm's labels.  An overlay names both, adds
the objects that only it has, and patches what differs: what makes an environment its own can be read there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marline.artifact import atomic
from marline.rollout.render import Object
from marline.rollout.text import dump
from marline.spec.release_image import ImageName

IMAGE = "marline"
# of an object that Helm installs; these are applied without it
HELMS_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")
HEADER = "Written by `make render` from helm/ and config/releases; change those and write it again."
Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Environment:
    """One environment: its namespace, its image, and what Helm rendered for it."""

    namespace: str
    image: ImageName
    objects: Sequence[Object]


def files(environments: Mapping[str, Environment], base: str) -> dict[str, str]:
    """Every file below ``k8s/``: its path there and its text.

    Args:
        environments: by name.
        base: the one whose objects are the base.
    """
    common = _plain(environments[base])
    out = {f"base/{_name(item)}.yaml": dump(item, HEADER) for item in common.values()}
    out["base/kustomization.yaml"] = _kustomization({"resources": [f"{_name(item)}.yaml" for item in common.values()]})
    for name, environment in environments.items():
        out.update({f"overlays/{name}/{path}": text for path, text in _overlay(environment, common).items()})
    return dict(sorted(out.items()))


def stale(directory: Path, wanted: Mapping[str, str]) -> list[str]:
    """Paths below ``directory`` that are missing, differ, or belong to nothing."""
    found = {path.relative_to(directory).as_posix(): path for path in _written(directory)}
    differs = {name for name, text in wanted.items() if name not in found or found[name].read_text("utf-8") != text}
    return sorted(differs | (set(found) - set(wanted)))


def write(directory: Path, wanted: Mapping[str, str]) -> None:
    """Write every file, and remove those that belong to nothing."""
    for name, text in wanted.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(directory / name, text)
    for path in _written(directory):
        if path.relative_to(directory).as_posix() not in wanted:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def operations(old: Any, new: Any, at: str = "") -> Iterator[dict[str, Any]]:
    """Operations that turn ``old`` into ``new``, in the order of its keys.

    Args:
        old: mappings, lists and scalars.
        new: the same.
        at: JSON pointer of both.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in new:
                yield {"op": "remove", "path": inner}
            elif key not in old:
                yield {"op": "add", "path": inner, "value": new[key]}
            else:
                yield from operations(old[key], new[key], inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from operations(one, other, f"{at}/{index}")
    elif type(old) is not type(new) or old != new:
        yield {"op": "replace", "path": at, "value": new}


def _written(directory: Path) -> list[Path]:
    return [path for part in ("base", "overlays") for path in (directory / part).rglob("*.yaml")]


def _overlay(environment: Environment, common: Mapping[Identity, Object]) -> dict[str, str]:
    own = _plain(environment)
    added = {identity: item for identity, item in own.items() if identity not in common}
    out = {f"{_name(item)}.yaml": dump(item, HEADER) for item in added.values()}
    patches = []
    for identity, item in common.items():
        if identity not in own:
            steps: Any = {**{key: item[key] for key in ("apiVersion", "kind")}, "metadata": {"name": identity[2]}}
            steps = {"$patch": "delete", **steps}
        elif not (steps := list(operations(item, own[identity]))):
            continue
        out[f"patch-{_name(item)}.yaml"] = dump(steps, HEADER)
        patches.append({"path": f"patch-{_name(item)}.yaml", "target": {"kind": identity[1], "name": identity[2]}})
    image = {"name": IMAGE, "newName": environment.image.repository}
    image |= {"newTag": environment.image.tag} if environment.image.tag else {}
    image |= {"digest": environment.image.digest} if environment.image.digest else {}
    document: dict[str, Any] = {
        "namespace": environment.namespace,
        "resources": ["../../base", *(f"{_name(item)}.yaml" for item in added.values())],
        "images": [image],
    }
    out["kustomization.yaml"] = _kustomization(document | ({"patches": patches} if patches else {}))
    return out


def _plain(environment: Environment) -> dict[Identity, Object]:
    """The objects by what identifies them, without namespace and Helm's labels, and with ``marline`` as the image."""
    image = environment.image
    full = image.repository + (f":{image.tag}" if image.tag else "") + (f"@{image.digest}" if image.digest else "")
    out = {}
    for item in copy.deepcopy(list(environment.objects)):
        item["metadata"].pop("namespace", None)
        for label in HELMS_LABELS:
            item["metadata"].get("labels", {}).pop(label, None)
        pod = item.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            if container["image"] == full:
                container["image"] = IMAGE
        out[(item["apiVersion"], item["kind"], item["metadata"]["name"])] = item
    return out


def _name(item: Object) -> str:
    return f"{item['kind'].lower()}-{item['metadata']['name']}"


def _kustomization(content: Mapping[str, Any]) -> str:
    return dump({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **content}, HEADER)
