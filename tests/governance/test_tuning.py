"""`headgate cache tune` from outside."""

import json

import pytest
from click.testing import CliRunner

from headgate.cli import cli

PAIRS = [
    {"a": "What is 3% of 609?", "b": "Compute 3 percent of 609.", "alike": True},
    {"text_a": "how do i reset my password", "text_b": "How can I reset my password?", "label": 1, "id": "more"},
    {"a": "Is 19 greater than 11?", "b": "Is 11 greater than 19?", "alike": False},
    {"a": "Tell me a joke", "b": "Sing me a song", "alike": False, "similarity": 0.99},
]


@pytest.fixture
def tune(tmp_path):
    def run(lines, *more):
        path = tmp_path / "pairs.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
        return CliRunner().invoke(cli, ["cache", "tune", str(path), *more])

    return run


def test_the_curve_and_a_threshold_are_told(tune):
    done = tune(PAIRS, "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["pairs"], told["alike"], told["embedder"]) == (4, 2, "lexical-1")
    assert told["recommended"]["guarded"] == {"precision": 1, "recall": 1, "right": 2, "wrong": 0}
    [at] = [at for at in told["curve"] if at["threshold"] == 0.5]
    assert at["plain"] == {"precision": 0.5, "recall": 1, "right": 2, "wrong": 2}


def test_people_read_a_table(tune):
    done = tune(PAIRS)
    assert "4 pairs, 2 of them alike" in done.stdout
    assert "The guards keep back 2 wrong answers: number 1, wording 1" in done.stdout
    assert "Recommended for a precision of 99.0%, with guards: threshold: 0.3" in done.stdout
    assert "\x1b" not in done.stdout


def test_it_is_said_where_no_threshold_will_do(tune):
    wrong = {"a": "how far is it", "b": "How far is it?", "alike": False}
    assert "No threshold is right" in tune([*PAIRS[:1], wrong], "--precision", "1").stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "1: neither a pair"),
        ('{"a": "x", "alike": true}', "a field is missing"),
        ('{"a": "x", "b": "y"}', "alike"),
        ('{"a": "x", "b": 3, "alike": true}', "no texts"),
        ('{"a": "x", "b": "y", "alike": "yes"}', "neither true nor false"),
        ('{"a": "x", "b": "y", "alike": true}', "there have to be pairs"),
        ("[]", "1: neither a pair"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tune, line, told):
    done = tune([line])
    assert done.exit_code == 1
    assert told in done.stderr


def test_a_folder_that_holds_no_model_is_told(tune, tmp_path):
    done = tune(PAIRS, "--folder", str(tmp_path))
    assert done.exit_code == 1
    assert "config.json" in done.stderr


def test_records_that_were_exported_with_what_was_said_are_paired(tune):
    def payload(question, answer):
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        request = {"model": "m", "messages": [{"role": "user", "content": question}]}
        return {"payload": {"id": "req", "dialect": "openai_chat", "request": request, "answer": body}}

    lines = [
        {"id": "req_1", "time": 1},
        payload("How do I reset my password?", "In the settings."),
        payload("how can i reset my password", "In the settings."),
        payload("How do I reset my old password?", "Pull the plug."),
    ]
    done = tune(lines, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pairs"], told["alike"]) == (3, 1)
