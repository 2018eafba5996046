"""TorchScript's code, named and ordered by the archive alone and not by the process that wrote it.

A type's name is its module's path; the second type of one name gets a part ``___torch_mangle_<n>``,
where n counts over the whole life of the process.  A scripted type's constants are written in the
order of a Python set of strings, which differs from process to process.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from collections.abc import Sequence

_CODE = re.compile(r"^code/(__torch__(?:/\w+)*)\.py$")
_NAME = re.compile(r"__torch__(?:\.\w+)+")
_MANGLED = re.compile(r"\.___torch_mangle_\d+")
_CONSTANTS = re.compile(r"(?:^  \w+ : Final\[.*\n){2,}", re.MULTILINE)


class Renaming:
    """New names for the type-holding modules of one archive.

    Args:
        names: its records in the order of the file, which is the order of dependency.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._new: dict[str, str] = {}
        taken: set[str] = set()
        number = 0
        for found in filter(None, map(_CODE.match, names)):
            old = found.group(1).replace("/", ".")
            new = plain = _MANGLED.sub("", old)
            if plain in taken:
                new, number = f"{plain}.___torch_mangle_{number}", number + 1
            taken.add(new)
            self._new[old] = new

    def record(self, name: str, data: bytes) -> tuple[str, bytes]:
        """One record under its new name, with the names in it replaced."""
        if found := _CODE.match(name):
            path = self._new[found.group(1).replace("/", ".")].replace(".", "/")
            return f"code/{path}.py", _CONSTANTS.sub(_in_order, self._text(data.decode())).encode()
        return name, self._pickle(data) if name.endswith(".pkl") else data

    def _text(self, text: str) -> str:
        return _NAME.sub(self._rename, text)

    def _rename(self, found: re.Match[str]) -> str:
        """The longest prefix that is a module decides; what follows it is a type and its members."""
        parts = found.group().split(".")
        for end in range(len(parts), 0, -1):
            if (old := ".".join(parts[:end])) in self._new:
                return ".".join([self._new[old], *parts[end:]])
        return found.group()

    def _pickle(self, data: bytes) -> bytes:
        """The stream with its strings and globals renamed; strings carry their length before them."""
        out, position = bytearray(), 0
        for opcode, argument, start in pickletools.genops(data):
            assert start is not None
            if not isinstance(argument, str) or "__torch__" not in argument:
                continue
            if opcode.name == "GLOBAL":
                module, name = data[start + 1 :].split(b"\n", 2)[:2]
                end = start + 1 + len(module) + 1 + len(name) + 1
                new = b"c" + self._text(module.decode()).encode() + b"\n" + name + b"\n"
            elif opcode.name == "BINUNICODE":
                end = start + 5 + len(argument.encode())
                text = self._text(argument).encode()
                new = b"X" + len(text).to_bytes(4, "little") + text
            else:
                raise pickle.UnpicklingError(f"{opcode.name} holds a type's name")
            out += data[position:start] + new
            position = end
        return bytes(out + data[position:])


def _in_order(found: re.Match[str]) -> str:
    """A type's constants sorted; they are found by name, never by position."""
    return "".join(sorted(found.group().splitlines(keepends=True)))
