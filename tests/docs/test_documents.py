"""What the documents say outside of their blocks: links, quoted sentences, generated tables."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.blocks import ROOT, BadBlock, blocks, documents
from unit.build.report_documents import report

PAGE = ROOT / "docs" / "page.md"
TICKS = "```"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{TICKS}\nls\n{TICKS}\n", "language ''"),
        (f"{TICKS}sh\nls\n{TICKS}\n", "language 'sh'"),
        (f"{TICKS}bash\nls\n", "no end"),
        (f"<!-- test: skip -->\n{TICKS}bash\nls\n{TICKS}\n", "tag 'skip'"),
        (f"<!-- test: server -->\n{TICKS}json\n1\n{TICKS}\n", "tag 'server' on a json block"),
        (f"<!-- test: needs=luck -->\n{TICKS}bash\nls\n{TICKS}\n", "needs=luck"),
        (f"<!-- test: slow=yes -->\n{TICKS}bash\nls\n{TICKS}\n", "slow=yes"),
        (f"<!-- test: server -->\n\n{TICKS}bash\nls\n{TICKS}\n", "stands before no block"),
        (f"<!-- test:server -->\n{TICKS}bash\nls\n{TICKS}\n", "malformed tag"),
    ],
)
def test_a_block_that_nothing_would_test_is_an_error(text: str, says: str) -> None:
    with pytest.raises(BadBlock, match=re.escape(says)):
        blocks(PAGE, text)


def test_a_tag_belongs_to_the_block_below_only() -> None:
    found = blocks(PAGE, f"<!-- test: slow needs=store -->\n{TICKS}bash\nls\n{TICKS}\n{TICKS}text\nx\n{TICKS}\n")
    assert [(b.language, b.text, b.tags) for b in found] == [
        ("bash", "ls\n", {"slow": "", "needs": "store"}), ("text", "x\n", {}),
    ]


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", [*documents(), ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path), target


def test_sentences_that_troubleshooting_quotes_are_said_by_the_code() -> None:
    folders = (ROOT / "src", ROOT / "handlers")
    # sentences are broken over lines in the source
    code = "\n".join(re.sub(r'"\s*\n\s*f?"', "", p.read_text(encoding="utf-8")) for f in folders for p in f.rglob("*.py"))
    code += "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "helm" / "templates").glob("_validations*.tpl"))
    text = (ROOT / "docs" / "05-troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(quoted) > 10
    assert [sentence for sentence in quoted if sentence not in code] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("docs", "tools", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    (tmp_path / "src").symlink_to(ROOT / "src")
    return tmp_path


def _generate(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/gen_docs.py", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_stale_table_is_named_and_written_again(checkout: Path) -> None:
    assert _generate(checkout, "--check").returncode == 0
    page = checkout / "docs" / "02-build-and-gate.md"
    right = page.read_text(encoding="utf-8")
    page.write_text(right.replace("| `max_drop_points` | 0.5", "| `max_drop_points` | 0.7"), encoding="utf-8")
    failed = _generate(checkout, "--check")
    assert failed.returncode == 1
    assert failed.stderr == "docs/02-build-and-gate.md: generated blocks are stale; run `python tools/gen_docs.py`\n"
    assert _generate(checkout).returncode == 0
    assert page.read_text(encoding="utf-8") == right


@pytest.mark.parametrize("marker", ["<!-- generated: nothing -->\n<!-- end -->", "<!-- generated: variants -->", "<!-- generated: Variants -->\n<!-- end -->"])
def test_a_block_that_nothing_generates_is_an_error(checkout: Path, marker: str) -> None:
    with (checkout / "docs" / "06-cli.md").open("a", encoding="utf-8") as page:
        page.write(f"\n{marker}\n")
    failed = _generate(checkout, "--check")
    assert failed.returncode == 1
    assert "docs/06-cli.md" in failed.stderr


def test_a_stored_run_becomes_the_figures_with_class_and_command(checkout: Path) -> None:
    for old in (checkout / "docs" / "figures").glob("sentiment-*.json"):
        old.unlink()
    run = report()
    (checkout / "report.json").write_text(json.dumps(run), encoding="utf-8")
    done = _generate(checkout, "--figures", "report.json")
    assert done.stdout.split() == ["docs/figures/sentiment-avx2.json"], done.stderr
    stored = json.loads((checkout / "docs" / "figures" / "sentiment-avx2.json").read_text(encoding="utf-8"))
    assert "times_ms" not in json.dumps(stored)
    assert stored["variants"]["onnx-int8"]["p50_ms"] == 5.0
    page = (checkout / "docs" / "02-build-and-gate.md").read_text(encoding="utf-8")
    assert "CPU class **avx2** (Some <CPU> @ 2 GHz), `python build.py build sentiment`" in page
    assert "| **onnx-int8** | pass | yes | 85.00 % |" in page
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert "median latency of 5.0 ms, 3.20 times as fast as eager-fp32 (16.0 ms)" in readme
    assert _generate(checkout, "--check").returncode == 0
