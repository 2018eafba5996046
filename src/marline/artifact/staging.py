"""How a version gets into the store: whole or not at all, and never changed afterwards."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlerkit import manifest as manifests
from marline.artifact import atomic, ledger, locks
from marline.artifact.integrity import check_archive, manifest_in
from marline.artifact.mar import digest
from marline.artifact.store import Store, archive_name, check_evidence, way_out
from marline.errors import StoreError

REPORTS = ("report.json", "report.html")


class Staging:
    """A private directory on the store's file system.

    The caller lays out ``<variant>/`` (its archive from :func:`marline.artifact.mar.pack`, and
    ``evidence/<cpu-class>.json``) and ``report.json``, ``report.html`` in :attr:`path`, then calls
    :meth:`commit`.  Other files are working material and are not published.
    """

    def __init__(self, store: Store, model: str, version: str, path: Path) -> None:
        self.store, self.model, self.version, self.path = store, model, version, path

    def variant(self, name: str) -> Path:
        """The directory of a variant, made."""
        (self.path / name).mkdir(exist_ok=True)
        return self.path / name

    def archive(self, variant: str) -> Path:
        """Where :func:`marline.artifact.mar.pack` is to write a variant's archive."""
        return self.variant(variant) / archive_name(self.model, self.version, variant)

    def published_sha256(self, variant: str) -> str | None:
        """The digest of the published archive of this variant, or None."""
        try:
            return self.store.sha256(self.model, self.version, variant)
        except StoreError:
            return None

    def commit(self) -> dict[str, str]:
        """Publish.

        A new version appears in one rename.  In a published version, new variants appear in one
        rename each; a variant with the same archive only has its evidence updated; the report is
        replaced last.

        Returns:
            Variant to sha256, of those staged.

        Raises:
            StoreError: when a published variant has other bytes (then nothing is changed), or what
                is staged is incomplete.
        """
        digests = {p.name: self._checked(p) for p in sorted(self.path.iterdir()) if p.is_dir() and any(p.glob("*.mar"))}
        if not digests:
            raise StoreError(f"{self.model} {self.version}: no archive was staged, so there is nothing to publish")
        target = self.store.root / self.model / self.version
        with locks.writing(self.store.root, self.model):
            self._refuse_other_bytes(digests)
            outgoing = self._arrange(digests)
            if target.exists() and not self._is_published():
                shutil.rmtree(target)  # what is left of a version without one readable variant
            if target.exists():
                self._merge(outgoing, target, digests)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                ledger.created(self.store.root, self.model, self.version)
                outgoing.rename(target)
                atomic.sync(target.parent)
        return digests

    def _checked(self, directory: Path) -> str:
        who = f"{self.model} {self.version} {directory.name}"
        path = self.archive(directory.name)
        if not path.is_file():
            raise StoreError(f"{who}: the staged archive is not named {path.name}; build it again")
        manifest = manifest_in(path)
        if (manifest.model, manifest.version, manifest.variant) != (self.model, self.version, directory.name):
            raise StoreError(
                f"{who}: the staged archive says it is {manifest.model} {manifest.served_version}; build it again"
            )
        sha256 = digest(path)
        for evidence in sorted(directory.glob("evidence/*.json")):
            check_evidence(_json_object(evidence), sha256, evidence.stem, who)
        return sha256

    def _is_published(self) -> bool:
        return self.version in self.store.versions(self.model)

    def _refuse_other_bytes(self, digests: dict[str, str]) -> None:
        if not self._is_published():
            return
        for variant in self.store.variants(self.model, self.version):
            if variant not in digests:
                continue
            published = self.store.sha256(self.model, self.version, variant)
            if published != digests[variant]:
                raise StoreError(
                    f"{self.model} {self.version} is published and cannot change: variant {variant} has sha256 "
                    f"{published}, this build made {digests[variant]}; raise `version:` in the spec, or delete the "
                    f"unpublished candidate with `marline registry gc {self.model} --version {self.version}`"
                )
            path = self.store.archive(self.model, self.version, variant)
            check_archive(path, published, path.parent, way_out(self.model, self.version))

    def _arrange(self, digests: dict[str, str]) -> Path:
        """Exactly what is published, beside the working material, on the disk."""
        outgoing = self.path / ".outgoing"
        for variant, sha256 in digests.items():
            source, target = self.path / variant, outgoing / variant
            target.mkdir(parents=True)
            path = self.archive(variant)
            os.link(path, target / path.name)
            (target / f"{path.name}.sha256").write_text(f"{sha256}  {path.name}\n", encoding="utf-8")
            (target / manifests.FILE_NAME).write_text(manifests.dumps(manifest_in(path)), encoding="utf-8")
            if (source / "evidence").is_dir():
                shutil.copytree(source / "evidence", target / "evidence")
        for name in REPORTS:
            if (self.path / name).is_file():
                shutil.copyfile(self.path / name, outgoing / name)
        atomic.sync_tree(outgoing)
        return outgoing

    def _merge(self, outgoing: Path, target: Path, digests: dict[str, str]) -> None:
        there = self.store.variants(self.model, self.version)
        for variant in digests:
            if variant not in there:
                if (target / variant).exists():
                    shutil.rmtree(target / variant)
                (outgoing / variant).rename(target / variant)
                continue
            for evidence in sorted((outgoing / variant).glob("evidence/*.json")):
                (target / variant / "evidence").mkdir(exist_ok=True)
                evidence.replace(target / variant / "evidence" / evidence.name)
        for name in REPORTS:
            if (outgoing / name).is_file():
                (outgoing / name).replace(target / name)
        atomic.sync_tree(target)


@contextmanager
def stage(store: Store, model: str, version: str) -> Iterator[Staging]:
    """See :meth:`marline.artifact.store.Store.staging`."""
    with locks.building(store.root, model):
        base = store.root / ".staging" / model
        # Whoever holds the lock is the only builder of this model: the rest is from killed ones.
        shutil.rmtree(base, ignore_errors=True)
        path = base / f"{version}-{secrets.token_hex(4)}"
        path.mkdir(parents=True)
        try:
            yield Staging(store, model, version, path)
        finally:
            shutil.rmtree(base, ignore_errors=True)


def _json_object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise StoreError(f"{path}: is not JSON ({error}); measure again") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path}: is not a JSON object; measure again")
    return document
