"""Write the generated blocks of README.md and docs, between ``<!-- generated: NAME -->`` and ``<!-- end -->``.

python tools/gen_docs.py                     write every block
python tools/gen_docs.py --check             write nothing; list stale files, exit code 1 if there are any
python tools/gen_docs.py --figures REPORT    store a run in docs/figures, then write every block
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import docs_pod as pod
import docs_rollouts as rollouts
import docs_tables as tables
from docs_spec import spec_keys

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+)(?: (?P<argument>[a-z0-9-]+))? -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN: dict[str, Callable[[], str]] = {
    "rollout-limits": rollouts.rollout_limits,
    "rollout-figures": rollouts.rollout_figures,
    "spec-keys": spec_keys,
    "gate-limits": tables.gate_limits,
    "variants": tables.variants,
    "compat": tables.compat,
    "verbs": tables.verbs,
    "cli-help": tables.cli_help,
    "image-sizes": pod.image_sizes,
    "front-cost": pod.front_cost,
}
OF_A_MODEL: dict[str, Callable[[str], str]] = {"figures": tables.figures, "headline": tables.headline}


def documents() -> list[Path]:
    """Every file that may hold generated blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def written(text: str, where: str) -> str:
    """A document with each of its blocks as it must be.

    Raises:
        SystemExit: for a block that nothing generates, or that has no end.
    """

    def block(match: re.Match[str]) -> str:
        name, argument = match["name"], match["argument"]
        if argument is None and name in PLAIN:
            content = PLAIN[name]()
        elif argument is not None and name in OF_A_MODEL:
            content = OF_A_MODEL[name](argument)
        else:
            known = [*PLAIN, *(f"{n} MODEL" for n in OF_A_MODEL)]
            raise SystemExit(f"{where}: nothing generates {match[0].splitlines()[0]}; allowed: {', '.join(known)}")
        return f"{match[1]}\n{content}\n\n{match[4]}"

    found = BLOCK.sub(block, text)
    if len(BLOCK.findall(text)) != text.count("<!-- generated:"):
        raise SystemExit(f"{where}: a generated block has no `<!-- end -->`, or a malformed name; add or correct it")
    return found


def store_run(path: Path) -> Path:
    """Keep a report in ``docs/figures``, without its single times."""
    report = json.loads(path.read_text(encoding="utf-8"))
    target = tables.FIGURES / f"{report['model']}-{report['machine']['cpu_class']}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    document = json.dumps(tables.stored_run(report), indent=1, sort_keys=False, ensure_ascii=False)
    target.write_text(document + "\n", encoding="utf-8")
    return target


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated blocks of README.md and docs.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a block is stale")
    parser.add_argument("--figures", type=Path, metavar="REPORT", help="store this report.json in docs/figures first")
    arguments = parser.parse_args()
    if arguments.figures is not None:
        print(store_run(arguments.figures).relative_to(ROOT))
    stale = []
    for path in documents():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if (wanted := written(text, name)) == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.write_text(wanted, encoding="utf-8")
    if arguments.check and stale:
        print(f"{', '.join(stale)}: generated blocks are stale; run `python tools/gen_docs.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
