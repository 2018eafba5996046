from __future__ import annotations

import json

import pytest

from handlerkit.errors import RequestError
from handlerkit.requests import MAX_ITEMS, body_of, questions, text_of

DOCUMENT = {"text": "a & b = c"}
RAW = json.dumps(DOCUMENT).encode()


@pytest.mark.parametrize(
    "row",
    [
        {"body": DOCUMENT},
        {"body": RAW},
        {"body": bytearray(RAW)},
        {"body": RAW.decode()},
        {"body": b"  " + RAW + b"\n"},
        {"data": RAW},
        # a bare `curl -d`: the form decoder has taken the body for names and values
        {'{"text": "a ': bytearray(b""), ' b ': bytearray(b' c"}')},
        {"text": bytearray(b"a & b = c")},
    ],
)
def test_all_ways_of_sending_a_document_are_the_same_question(row):
    assert body_of(row) == DOCUMENT


def test_form_decoded_rows():
    assert body_of({'{"text": "x"}': bytearray(b"")}) == {"text": "x"}
    assert body_of({'{"text":"a': bytearray(b'b"}')}) == {"text": "a=b"}
    assert body_of({"I like": bytearray(b""), " this film": bytearray(b"much")}) == "I like& this film=much"
    assert body_of({"text": ""}) == "text"


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"plain words", "plain words"), (b'"quoted"', "quoted"), (b'"he" said "she"', '"he" said "she"'),
        (b"[1]", [1]), ("grüß 🙂".encode(), "grüß 🙂"), (b"", ""), (b'{"text": NaN}', None),
    ],
)
def test_bytes_are_json_or_raw_text(body, document):
    found = body_of({"body": body})
    assert found == document or (document is None and found["text"] != found["text"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"body": b"\xff\xfe"}, "The body is not UTF-8 (byte 0); send UTF-8 text or JSON."),
        ({"a": bytearray(b"\xff")}, "The body is not UTF-8 (byte 0)"),
        ({"body": b'{"text": "x"'}, "The body is not valid JSON: Expecting ',' delimiter at line 1, column 13."),
        ({"body": b"[" + b"9" * 5000 + b"]"}, "a number with too many digits"),
        ({"body": b"[" * 200_000}, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_a_400(row, message):
    with pytest.raises(RequestError) as caught:
        body_of(row)
    assert caught.value.status == 400
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("document", "items", "form"),
    [
        ({"text": "x"}, ["x"], "single"), ("x", ["x"], "single"), (None, [None], "single"),
        (["x", {"text": "y"}], ["x", "y"], "list"),
        ({"instances": ["x", {"text": "y"}]}, ["x", "y"], "instances"),
    ],
)
def test_forms_and_the_shape_of_their_answers(document, items, form):
    question = questions(document, "text")
    assert (question.items, question.form) == (items, form)
    answers = [{"n": i} for i in range(len(items))]
    expected = {"single": answers[0], "list": answers, "instances": {"predictions": answers}}[form]
    assert question.answer(answers) == expected


@pytest.mark.parametrize(
    ("document", "status", "message"),
    [
        ([], 400, "The list of items is empty; send at least one."),
        ({"instances": []}, 400, "is empty"),
        ({"instances": "x"}, 400, '"instances" must be a list.'),
        ({"txt": "x"}, 400, "The body has no \"text\"; found 'txt'."),
        ({}, 400, 'The body has no "text"; found an empty object.'),
        ([{"text": "x"}, {"a": 1, "b": 2}], 400, "Item 1 has no \"text\"; found 'a', 'b'."),
        (["x"] * (MAX_ITEMS + 1), 413, f"{MAX_ITEMS + 1} items in one request; at most {MAX_ITEMS} are allowed."),
    ],
)
def test_wrong_documents(document, status, message):
    with pytest.raises(RequestError) as caught:
        questions(document, "text")
    assert caught.value.status == status
    assert message in caught.value.message


def test_an_error_message_stays_short_whatever_the_keys():
    with pytest.raises(RequestError) as caught:
        questions({"k" * 100_000 + str(i): 1 for i in range(50)}, "text")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("item", "status", "message"),
    [
        (None, 400, "of type null, not a string"), (3, 400, "of type int"), (float("nan"), 400, "of type float"),
        (["x"], 400, "of type list"), ({}, 400, "of type dict"), (True, 400, "of type bool"),
        ("", 400, "The text is empty"), (" \n\t", 400, "The text is empty"),
        ("x" * 11, 413, "The text has 11 characters; at most 10 are allowed."),
        ("a\ud800", 400, "not valid Unicode (character 1)"),
    ],
)
def test_what_is_no_text(item, status, message):
    with pytest.raises(RequestError) as caught:
        text_of(item, 10)
    assert caught.value.status == status
    assert message in caught.value.message
