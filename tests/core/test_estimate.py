"""How many tokens a request has, about, and how long its answer may be."""

import base64
import json
import random

import pytest

from headgate.core.estimate import PICTURE_TOKENS, answer_limit, answers_limit, prompt_tokens
from together import together

DATA = base64.b64encode(random.Random(1).randbytes(60_000)).decode()


def said(*parts):
    return json.dumps({"messages": [{"role": "user", "content": list(parts)}]}).encode()


def test_four_bytes_are_a_token():
    assert prompt_tokens(b"") == 0
    assert prompt_tokens(b"x" * 400) == 100
    words = said({"type": "text", "text": "some words " * 5000})
    assert prompt_tokens(words) == len(words) // 4


@pytest.mark.parametrize(
    "picture",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        {"type": "image_url", "image_url": {"url": "https://host.example/picture.png"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        {"inlineData": {"mimeType": "image/png", "data": DATA}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}},
    ],
)
def test_a_picture_is_a_thousand_tokens_however_large(picture):
    assert prompt_tokens(said(picture)) == pytest.approx(PICTURE_TOKENS, abs=60)
    assert prompt_tokens(said(picture, {"type": "text", "text": "What is this?"}, picture)) == pytest.approx(
        2 * PICTURE_TOKENS, abs=120
    )


@together(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": "many"}, None),
        ({"max_tokens": 30}, 30),
        ({"max_completion_tokens": 40}, 40),
        ({"generationConfig": {"maxOutputTokens": 50}}, 50),
        ({"inferenceConfig": {"maxTokens": 60}}, 60),
        ({"options": {"num_predict": -1}}, None),
        ({"options": []}, None),
    ],
)
def test_how_long_an_answer_may_be(fields, limit):
    assert answer_limit(fields) == limit


@together(
    ("fields", "limit"),
    [
        ({"n": 3}, None),
        ({"max_tokens": 30}, 30),
        ({"max_tokens": 30, "n": 3}, 90),
        ({"max_tokens": 30, "n": -1}, 30),
        ({"max_tokens": 30, "n": "3"}, 30),
        ({"generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}}, 100),
        ({"max_tokens": 10**400}, None),
        ({"max_tokens": 30, "n": 10**400}, None),
    ],
)
def test_how_long_all_answers_may_be(fields, limit):
    assert answers_limit(fields) == limit
