"""The door: ``python build.py build sentiment`` is ``marline build sentiment``.

Note: at the repository's root this file shadows PyPA's ``build`` module; use ``uv build`` for wheels.
"""

from marline.cli import main

if __name__ == "__main__":
    main()
