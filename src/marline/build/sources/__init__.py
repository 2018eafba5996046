"""Where weights and data come from: each fetched once, checked against its sha256, kept in a cache."""

from marline.build.sources.resolve import ModelSource, resolve
from marline.build.sources.text import TextSource, load_text_source

__all__ = ["ModelSource", "TextSource", "load_text_source", "resolve"]
