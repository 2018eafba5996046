"""Answers counted by predicted class, in the front: the only place that every answer passes, whoever computed it.

A script reads the answer while it passes, without holding it back, and adds to a counter of Envoy.  The
classes are those of the archive's manifest, so that no answer can make a counter of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

# a larger answer is not read, nor is one of unknown length
LARGEST_BYTES = 1 << 20
# within the scope of the filter, which is http.ingress.lua
COUNTER = "answers"
# space that a writer of JSON may put around a colon
_SPACE = 32

_SCRIPT = """
local KEY = '"label"'
local CLASSES = {{{classes}}}
-- the longest text that a key and its value may take
local LONGEST = {longest}

-- counts the labels of a text; returns its end where that may be the beginning of one
local function labels(text, found)
  local at = 1
  while true do
    local first, last = string.find(text, KEY, at, true)
    if first == nil then
      return string.sub(text, math.max(at, #text - #KEY + 2))
    end
    local _, open = string.find(text, '^%s*:%s*"', last + 1)
    local close = open and string.find(text, '"', open + 1, true)
    -- a quote after an odd number of backslashes belongs to the label
    while close and #string.match(string.sub(text, open + 1, close - 1), "\\\\*$") % 2 == 1 do
      close = string.find(text, '"', close + 1, true)
    end
    local unfinished = close == nil and (open or string.find(text, "^%s*:?%s*$", last + 1))
    if close then
      local class = CLASSES[string.sub(text, open + 1, close - 1)]
      if class then
        found[class] = (found[class] or 0) + 1
      end
      at = close + 1
    elseif unfinished and #text - first < LONGEST then
      return string.sub(text, first)
    else
      at = last + 1
    end
  end
end

function count_classes(handle)
  local length = handle:headers():get("content-length")
  local size = length and tonumber(length)
  if size == nil or size > {largest} then
    return
  end
  local found, rest = {{}}, ""
  for chunk in handle:bodyChunks() do
    rest = labels(rest .. chunk:getBytes(0, chunk:length()), found)
  end
  for class, times in pairs(found) do
    handle:stats():counter(class):add(times)
  end
end
"""


def script(classes: Sequence[str]) -> str:
    """Lua that defines ``count_classes(handle)``, to be called last for an answer that a model gave.

    Args:
        classes: the manifest's labels; without any, nothing is defined.
    """
    if not classes:
        return ""
    written = {
        text: name for name in classes for text in (json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1])
    }
    # Envoy cuts dots off the end of a label's value: names that differ in nothing else share a counter
    counters = {text: f"{COUNTER}.[{name.rstrip('.')}]" for text, name in written.items()}
    entries = ", ".join(f"[{_quoted(text)}] = {_quoted(counter)}" for text, counter in counters.items())
    longest = max(len(text.encode()) for text in written) + len('"label":""') + _SPACE
    return _SCRIPT.format(classes=entries, longest=longest, largest=LARGEST_BYTES)


def stats_tags() -> list[dict[str, Any]]:
    """Envoy's settings that make the class a label of the metric, whatever characters it has."""
    return [{"tag_name": "class", "regex": rf"^http\.ingress\.lua\.{COUNTER}(\.\[([\s\S]*)\])$"}]


def _quoted(text: str) -> str:
    """A string of Lua: letters and digits as they are, every other byte by its number."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ "
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03d}" for b in text.encode()) + '"'
