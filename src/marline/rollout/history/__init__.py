"""What rollouts left behind, for people: a table, a JSON document, an HTML page with plots."""

from marline.rollout.history.page import page
from marline.rollout.history.record import Record, load, validate
from marline.rollout.history.table import COLUMNS, table

__all__ = ["COLUMNS", "Record", "load", "page", "table", "validate"]
