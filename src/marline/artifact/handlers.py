"""Where the code that goes into every archive lies: in the repository, or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import handlerkit
import marline
from marline.errors import BuildError

HANDLERS = {
    "text-classification": "text_classification.py",
    "embedding": "embedding.py",
    "tensor": "tensor.py",
}


def handlerkit_dir() -> Path:
    """The directory of the package ``handlerkit``, which is vendored into every archive."""
    return Path(handlerkit.__file__).resolve().parent


def handler_for(task: str) -> Path:
    """The TorchServe handler file of a task.

    Raises:
        BuildError: for a task without a handler, or an installation without handler files.
    """
    if task not in HANDLERS:
        raise BuildError(f"task {task!r} has no handler (allowed: {', '.join(HANDLERS)}); correct `task:` in the spec")
    # A wheel carries them as data; a checkout has none of that and keeps them beside handlerkit.
    installed = Path(marline.__file__).resolve().parent / "_data" / "handlers"
    directory = installed if installed.is_dir() else handlerkit_dir().parent
    path = directory / HANDLERS[task]
    if not path.is_file():
        raise BuildError(f"{path}: the handler of task {task} is missing; install marline again")
    return path
