"""Find a peer's best batch limit, wait and options, the same grid for every peer, and write ``tuning.json``.

``python benchmarks/peers/tune_peer.py NAME [--mar FILE] [--seconds S]`` in the project's environment, on a machine
with wrk.  16 connections in a closed loop ask 300 real movie-review snippets; every answer's label is checked against
the same model asked one text at a time.  First the grid of batch limit and wait, then the peer's own options
(``tuning.options`` of ``peer.yaml``) at the best point, then the three best of all once more, twice as long.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environment
import sample
from environment import PeerError
from running import HERE, ONE_THREAD, ROOT, Running, described
from shared import answers

from marline.build.machine import describe

BATCHES = (1, 4, 8, 16)
WAITS_MS = (0.0, 2.0, 5.0)
CONNECTIONS = 16
TEXTS = 300
WARM_S = 1
FINALISTS = 3
Row = dict[str, Any]


def points(waits: Sequence[float], options: dict[str, str]) -> list[Row]:
    """The grid: a batch of one waits for nobody."""
    return [
        {"batch": batch, "wait_ms": wait, "options": options}
        for batch in BATCHES
        for wait in (waits if batch > 1 else waits[:1])
    ]


def raw(archive: Path, texts: Sequence[str], seconds: float, processes: int = 2) -> float:
    """Answers per second of the bare loop in ``processes`` pinned processes."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(list(texts), file)
        file.flush()
        env = ONE_THREAD | {"PYTHONPATH": f"{ROOT / 'handlers'}:{HERE}", "TOKENIZERS_PARALLELISM": "false"}
        loops = [
            subprocess.Popen(
                [sys.executable, str(HERE / "raw.py"), str(archive), file.name, str(seconds), str(number)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
            )
            for number in range(processes)
        ]  # fmt: skip
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()  # warm
        for loop in loops:
            assert loop.stdin is not None
            loop.stdin.write("\n")
            loop.stdin.flush()
        return sum(float(loop.communicate()[0]) for loop in loops)


def wrk(url: str, folder: Path, seconds: float) -> Row:
    """One run of wrk; what ``tune.lua`` counted."""
    command = ["wrk", f"-t{CONNECTIONS}", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "20s",
               "-s", str(HERE / "tune.lua"), url, str(folder)]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PeerError(f"wrk: ended with exit code {result.returncode}: {result.stderr.strip()[-200:]}")
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))


def measure(name: str, archive: Path, folder: Path, point: Row, seconds: float) -> Row:
    """Start the peer with one point's settings, warm it up, measure it; what was measured is kept until the end."""
    kept = json.loads(_kept(name).read_text()) if _kept(name).is_file() else {}
    if (key := json.dumps([point, seconds])) in kept:
        return dict(kept[key])
    with Running(name, archive, sample.free_port(), json.dumps(point)) as peer:
        url = peer.url + peer.peer["predict"]["path"]
        wrk(url, folder, peer.peer["tuning"].get("warm_s", WARM_S))
        found = wrk(url, folder, seconds)
    rate = round(found["answers"] / found["seconds"], 1)
    row = {**point, "per_second": rate, **{key: found[key] for key in ("p50_ms", "p99_ms", "wrong", "broken")}}
    print(json.dumps(row), flush=True)
    _kept(name).write_text(json.dumps({**kept, key: row}))
    return row


def _kept(name: str) -> Path:
    """Rows of a run that did not come to its end, so that the next one goes on from there."""
    folder = environment.folder(name)
    return folder.with_name(f"{folder.name}.rows.json")


def questions(name: str, archive: Path, folder: Path, texts: Sequence[str]) -> None:
    """Write the requests and the patterns of their right answers for ``tune.lua``."""
    predict = described(name)["predict"]
    labels = [answer["label"] for answer in sample.alone(archive, texts)]
    (folder / "requests").write_text("".join(answers.body(predict["body"], text) + "\n" for text in texts))
    (folder / "patterns").write_text("".join(answers.lua(predict["label"], label) + "\n" for label in labels))


def tune(name: str, archive: Path, seconds: float) -> Row:
    """Every step; returns what ``tuning.json`` says of this CPU class."""
    texts, tuning = sample.texts(TEXTS), described(name)["tuning"]
    choices, waits = tuning["options"], tuning.get("waits_ms", WAITS_MS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        questions(name, archive, folder, texts)
        bare = [raw(archive, texts, seconds)]
        rows = [measure(name, archive, folder, point, seconds) for point in points(waits, choices[0])]
        plain = {key: best(rows)[0][key] for key in ("batch", "wait_ms")}
        rows += [measure(name, archive, folder, {**plain, "options": other}, seconds) for other in choices[1:]]
        plain_rows = [{key: row[key] for key in ("batch", "wait_ms", "options")} for row in best(rows)[:FINALISTS]]
        finals = [measure(name, archive, folder, point, 2 * seconds) for point in plain_rows]
        bare.append(raw(archive, texts, seconds))
    first = best(finals)[0]
    machine = describe()
    return {
        "cpu": machine["cpu"],
        "flags": machine["flags"],
        "best": {key: first[key] for key in ("batch", "wait_ms", "options")},
        "raw_per_second": [round(value, 1) for value in bare],
        "served_to_raw": round(first["per_second"] / statistics.mean(bare), 3),
        "grid": rows,
        "finalists": finals,
    }


def best(rows: Sequence[Row]) -> list[Row]:
    """The rows whose answers were all right, fastest first."""
    right = [row for row in rows if not row["wrong"] and not row["broken"]]
    if not right:
        raise PeerError("no point of the grid answered everything rightly; look at the rows above")
    return sorted(right, key=lambda row: -row["per_second"])


def main(arguments: Sequence[str]) -> int:
    """Tune the named peer and write its ``tuning.json``; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--mar", type=Path, help="the archive; the store's sentiment 1.0.0 onnx-int8-static otherwise")
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args(arguments)
    try:
        with sample.unpacked(options.mar) as archive:
            found = tune(options.name, archive, options.seconds)
    except (PeerError, OSError) as error:
        print(f"tune_peer: {error}", file=sys.stderr)
        return 1
    path = HERE / options.name / "tuning.json"
    known = json.loads(path.read_text(encoding="utf-8"))["classes"] if path.is_file() else {}
    document = {
        "command": f"python benchmarks/peers/tune_peer.py {options.name}",
        "classes": {**known, describe()["cpu_class"]: found},
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _kept(options.name).unlink()
    print(json.dumps({key: found[key] for key in ("best", "raw_per_second", "served_to_raw")}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
