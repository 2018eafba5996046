"""What the image's build takes over from pip's configuration on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marline.errors import MarlineError

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "image")]

import image  # noqa: E402
import sbom  # noqa: E402

TORCH = (ROOT / "requirements" / "torch.txt").read_text().rpartition("torch==")[2].strip()


def test_environment_variables_stand_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://all.example/\ntimeout = 7\n[install]\nindex-url = https://file.example/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert image.pip_configuration()["index-url"] == "https://file.example/"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/")
    found = image.pip_configuration()
    assert found["index-url"] == "https://variable.example/"
    assert found["timeout"] == "7"


def test_only_wheels_of_this_torch_are_taken_out_of_local_folders(tmp_path: Path) -> None:
    links, context = tmp_path / "links", tmp_path / "context"
    links.mkdir()
    context.mkdir()
    wanted = f"torch-{TORCH}+cpu-cp311-cp311-linux_x86_64.whl"
    for name in (wanted, "torch-0.1.0-cp311-cp311-linux_x86_64.whl", "torchserve-0.12.0-py3-none-any.whl"):
        (links / name).touch()
    image.copy_links(f"https://links.example/ {tmp_path}/none {links}", context)
    assert [file.name for file in context.iterdir()] == [wanted]


ELF = b"\x7fELF\x02\x01\x01"


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program for Linux that is in no PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    path = tmp_path / "helm"
    path.write_bytes(ELF)
    return path


def test_the_helm_that_is_named_goes_into_the_image(helm: Path) -> None:
    assert image.helm_for_linux(helm) == helm


def test_else_it_is_the_one_in_the_path(helm: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    found = tmp_path / "bin" / "helm"
    found.write_bytes(ELF)
    found.chmod(0o755)
    assert image.helm_for_linux(None) == found
    assert image.helm_for_linux(helm) == helm


def test_without_a_helm_the_sentence_says_how_to_name_one(helm: Path) -> None:
    with pytest.raises(
        MarlineError, match="^the target rollout needs Helm, and PATH has none; name one for Linux with --helm$"
    ):
        image.helm_for_linux(None)


@pytest.mark.parametrize("start", [b"", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe"])
def test_a_program_for_another_system_is_refused(helm: Path, start: bytes) -> None:
    helm.write_bytes(start)
    with pytest.raises(
        MarlineError, match=f"^{helm}: is no program for Linux, which the image is for; name one with --helm$"
    ):
        image.helm_for_linux(helm)


def test_a_file_that_is_not_there_is_named(helm: Path) -> None:
    helm.unlink()
    with pytest.raises(
        MarlineError, match=r"cannot be read \(No such file or directory\); name a Helm for Linux with --helm$"
    ):
        image.helm_for_linux(helm)


def test_the_context_has_a_place_for_helm_and_helm_in_it(
    helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image.subprocess, "run", lambda command, **given: subprocess.CompletedProcess(command, 0))
    for name, given in (("with", helm), ("without", None)):
        context = tmp_path / name
        context.mkdir()
        assert image.prepare(context, [], given) == 0
        assert (context / "requirements" / "rollout.lock").is_file()
        assert [path.name for path in (context / "helm").iterdir()] == (["helm"] if given else [])
    found = tmp_path / "with" / "helm" / "helm"
    assert found.read_bytes() == ELF
    assert found.stat().st_mode & 0o777 == 0o755


def test_only_the_rollouts_image_needs_one(
    helm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "prepare", lambda context, archives, helm: 7)
    arguments = ["--tool", "docker", "--tag", "x"]
    assert image.main([*arguments, "--target", "slim"]) == 7
    assert image.main([*arguments, "--target", "rollout", "--helm", str(helm)]) == 7
    assert image.main([*arguments, "--target", "rollout"]) == 1
    assert (
        capsys.readouterr().err
        == "image: the target rollout needs Helm, and PATH has none; name one for Linux with --helm\n"
    )


def test_the_rollouts_image_takes_no_archives(helm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--tool", "docker", "--tag", "x", "--target", "rollout", "--helm", str(helm), "sentiment"]
    assert image.main(arguments) == 1
    assert capsys.readouterr().err == (
        "image: sentiment: the image of the target rollout serves no archives; leave them out, or choose slim or full\n"
    )


def test_the_list_of_what_is_inside_has_helm_where_the_image_has_it(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    assert sbom.helm(program) == []
    program.write_text("#!/bin/sh\n[ \"$*\" = 'version --template {{.Version}}' ] && printf v4.3.1\n")
    program.chmod(0o755)
    (found,) = sbom.helm(program)
    assert (found["name"], found["version"]) == ("helm", "v4.3.1")
    assert found["purl"] == found["bom-ref"] == "pkg:golang/helm.sh/helm/v4@v4.3.1"


def test_helm_is_there_when_that_list_is_made() -> None:
    stage = (ROOT / "image" / "Dockerfile").read_text().partition(" AS tools-rollout\n")[2].partition("\nFROM ")[0]
    assert 0 < stage.index("COPY helm/ ") < stage.index("sh /build/finish.sh")
