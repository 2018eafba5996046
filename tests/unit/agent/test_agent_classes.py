"""The script that counts classes, as text; what it does stands in tests/agent."""

from __future__ import annotations

import re

from marline.agent.classes import script, stats_tags


def test_without_classes_there_is_no_script() -> None:
    assert script(()) == ""


def test_a_name_cannot_leave_its_quotes() -> None:
    assert '["positive"] = "answers\\046\\091positive\\093"' in script(["positive"])
    hostile = script(['"]=1} os.exit() --', "]]", "\n\\", "{largest}"])
    table = hostile.split("local CLASSES = ")[1].split("\n")[0]
    assert re.fullmatch(r'\{(\["[\w \\]*"\] = "[\w \\]*"(, )?)+\}', table)


def test_both_spellings_of_json_are_known() -> None:
    assert script(["é"]).count('"answers\\046\\091\\195\\169\\093"') == 2
    assert script(["e"]).count('"answers\\046\\091e\\093"') == 1


def test_names_that_differ_only_in_dots_at_their_end_share_a_counter_because_envoy_cuts_those_off() -> None:
    assert script(["etc", "etc.", ".e.t.c"]).count('= "answers\\046\\091etc\\093"') == 2


def test_the_class_becomes_a_label_and_leaves_the_name_of_the_metric() -> None:
    (tag,) = stats_tags()
    assert tag["tag_name"] == "class"
    found = re.match(tag["regex"], "http.ingress.lua.answers.[a.b]\n]")
    assert found is not None
    assert (found[1], found[2]) == (".[a.b]\n]", "a.b]\n")
    assert re.match(tag["regex"], "http.ingress.lua.executions") is None
