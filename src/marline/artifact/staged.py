"""Variants as folders of a staged build: artifact files, tokenizer and manifest, not yet judged."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlerkit import manifest as manifests
from handlerkit.machine import cpu_flags
from handlerkit.manifest import Golden, Manifest
from marline.artifact import pt2, torchscript
from marline.build import golden
from marline.build.sources import ModelSource, TextSource, load_text_source
from marline.build.variants import Built, Context, build_variant, variant_module
from marline.build.variants.describe import draft_manifest
from marline.errors import SourceError
from marline.spec.model import ModelSpec
from marline.spec.names import VARIANTS


@dataclass(frozen=True)
class Staged:
    """One built variant.

    Attributes:
        directory: what will be packed.
        manifest: its manifest, also written into ``directory``.
        judged: the folder whose answers the gate judges: ``directory``, or an exact twin where this
            CPU cannot compute the artifact's own integers.
        runs_here: whether this CPU has what the manifest requires.
    """

    directory: Path
    manifest: Manifest
    judged: Path
    runs_here: bool


class Stage:
    """Builds the variants of one spec into folders below ``root``."""

    def __init__(self, spec: ModelSpec, source: ModelSource, root: Path, scratch: Path) -> None:
        self.spec, self.source, self.root, self.scratch = spec, source, root, scratch
        self.text: TextSource | None = None if spec.task == "tensor" else load_text_source(spec, source)
        self.golden: tuple[Golden, ...] = golden.read(spec, source)
        self.calibration = _read_calibration(spec, source)

    def build(self, variant: str) -> Staged:
        """Build one variant.

        Raises:
            BuildError: when it cannot be built as named; its folder is gone then.
        """
        directory = self.root / variant
        try:
            manifest = self._make(variant, directory, None)
            missing = [flag for flag in VARIANTS[variant].cpu_flags if flag not in cpu_flags()]
            twin = getattr(variant_module(variant), "build_exact_twin", None)
            if not missing or twin is None:
                return Staged(directory, manifest, directory, not missing)
            judged = self.scratch / f"twin-{variant}"
            self._make(variant, judged, twin)
            return Staged(directory, manifest, judged, False)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def _make(self, variant: str, directory: Path, twin: Any) -> Manifest:
        directory.mkdir()
        context = Context(
            self.spec, variant, self.source, self.text, self.calibration.get(variant), directory, self.scratch
        )
        built: Built = twin(context) if twin else build_variant(context)
        for name in built.files:
            # a file that was brought stays as it is, unless a part of it was saved anew
            if name.endswith(".pt") and (self.text is not None or self.spec.submodule is not None):
                torchscript.normalise(directory / name)
            if name.endswith(".pt2"):
                pt2.normalise(directory / name)
        if self.text is not None:
            shutil.copyfile(self.text.tokenizer, directory / "tokenizer.json")
        manifest = draft_manifest(context, built, self.golden)
        if twin:
            manifest = dataclasses.replace(
                manifest, requirements=dataclasses.replace(manifest.requirements, cpu_flags=())
            )
        (directory / manifests.FILE_NAME).write_text(manifests.dumps(manifest))
        for path in filter(Path.is_file, directory.rglob("*")):
            path.chmod(0o644)
        return manifest


def _read_calibration(spec: ModelSpec, source: ModelSource) -> Mapping[str, Mapping[str, Any]]:
    if spec.calibration is None:
        return {}
    path = source.input(spec.calibration.file)
    try:
        document = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise SourceError(f"{path}: is not JSON ({error}); make it again with `marline train {spec.name}`") from error
    if not isinstance(document, dict):
        raise SourceError(
            f"{path}: must be an object with one section per variant; make it again with `marline train {spec.name}`"
        )
    return document
