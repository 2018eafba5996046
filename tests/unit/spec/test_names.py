from __future__ import annotations

import re

import pytest

from marline.spec.names import FORMATS, NAME_PATTERN, REFERENCE, SEMVER_PATTERN, VARIANTS


def test_every_variant_has_a_known_format_and_a_url_safe_name():
    assert REFERENCE in VARIANTS
    for name, kind in VARIANTS.items():
        assert kind.format in FORMATS
        assert re.fullmatch(r"[a-z0-9-]+", name)  # a semver pre-release in TorchServe's version path
        assert kind.portable == (not kind.cpu_flags)


@pytest.mark.parametrize("good", ["0.0.1", "1.0.0", "10.20.30"])
def test_versions(good):
    assert re.fullmatch(SEMVER_PATTERN, good)


@pytest.mark.parametrize("bad", ["1", "1.0", "01.0.0", "1.0.0-a", "1.0.0+b", "v1.0.0", "1.0.0\n"])
def test_no_versions(bad):
    assert not re.fullmatch(SEMVER_PATTERN, bad)


def test_names_are_path_segments():
    assert re.fullmatch(NAME_PATTERN, "sst-2")
    assert not any(re.fullmatch(NAME_PATTERN, bad) for bad in ("", "A", "a/b", "a.b", "..", "-a", "a" * 42))
