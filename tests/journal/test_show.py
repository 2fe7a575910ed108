"""What `headgate records` prints: a table that fits, one record in full, lines for programs, nothing that bites."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
import pytest

from forks import Forked
from headgate.core.chat import Loss
from headgate.core.ids import Ids
from headgate.core.record import Attempt, Ending, Record
from headgate.core.trace import Trace
from headgate.core.usage import Usage
from headgate.journal.segments import segments
from headgate.journal.show import show, trace_told


@pytest.fixture
def filled(opened, folder, record):
    journal = opened()
    journal.append(
        record(key="demo", model="chat", target="openai/gpt-4o-mini", status=200, first_token=0.21, duration=1.5)
    )
    journal.append(
        record(
            key="demo",
            model="smart",
            target="claude/claude-sonnet-4-5",
            status=502,
            client="10.0.0.7",
            ending="failed",
            origin="provider",
            error="provider_cut",
            message="the provider broke off",
            attempts=[
                Attempt("openai/gpt-4o", 0.5, error="provider_timeout"),
                Attempt("claude/claude-sonnet-4-5", 0.1),
            ],
            usage=Usage(input=100, cache_read=20, output=7, reported={"prompt_tokens": 120}),
            lost=[Loss("messages[0].name", "no such field there")],
        )
    )
    refused = {"status": 401, "ending": "refused", "error": "invalid_api_key", "origin": "gateway"}
    journal.append(record(model="\x1b[31mevil\nname\u202e", **refused))
    return folder.parent


def shown(data_dir, **settings):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        show(data_dir, **settings)
    return out.getvalue(), err.getvalue()


def test_a_table_of_all(filled):
    out, err = shown(filled)
    head, first, second, third = out.splitlines()
    titles = "ID KEY MODEL TARGET IN/OUT HTTP ENDING ERROR TTFT TOOK TRIES"
    assert re.fullmatch(r"TIME \(UTC([+-]\d\d:\d\d)?\) " + titles, " ".join(head.split()))
    assert " ".join(first.split()[2:]) == "req_00001 demo chat openai/gpt-4o-mini - 200 complete - 210ms 1.5s"
    # tries are told where there was more than one
    assert second.split(maxsplit=2)[2].split()[3:] == [
        "claude/claude-sonnet-4-5",
        "120/7",
        "502",
        "failed",
        "provider_cut",
        "-",
        "0ms",
        "2",
    ]
    assert "\\x1b[31mevil\\nname\\u202e" in third
    assert "\x1b" not in out
    assert err == ""


def test_json_is_what_is_stored(filled, folder):
    out, _ = shown(filled, as_json=True)
    assert out.encode() == segments(folder)[0].path.read_bytes()


def test_one_record_in_full(filled):
    out, _ = shown(filled, id="req_00002")
    for told in (
        "claude/claude-sonnet-4-5",
        "provider_timeout",
        "the provider broke off",
        "messages[0].name",
        "cache_read: 20",
        "prompt_tokens: 120",
        "1. openai/gpt-4o  500ms  no answer: provider_timeout",
        "502 to the client",
    ):
        assert told in out
    assert "req_00001" not in out
    out, _ = shown(filled, id="req_00003")
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_trace_is_told_with_what_the_request_went_through():
    trace = Trace("a" * 32, "b" * 16, kept=True, stages=[("authenticate", 0.0), ("route", 0.0012)])
    assert trace_told(trace) == f"{'a' * 32}: authenticate after 0ms, route after 1ms"
    assert trace_told(Trace("a" * 32, "b" * 16, parent="c" * 16)) == f"{'a' * 32}, of the client's; no spans were made"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"key": "demo"}, [1, 2]),
        ({"model": "chat"}, [1]),
        ({"target": "claude"}, [2]),
        ({"status": "4xx"}, [3]),
        ({"status": 502}, [2]),
        ({"ending": "refused"}, [3]),
        ({"limit": 2}, [2, 3]),
        ({"limit": 1, "key": "demo"}, [2]),
        ({"since": datetime.fromtimestamp(4_000_000_002, UTC)}, [2, 3]),
        ({"since": datetime.fromtimestamp(4_000_000_003)}, [3]),
        ({"id": "req_00002", "key": "demo"}, [2]),
        ({"id": "02"}, [2]),
        ({"id": "req_0000", "status": 200}, [1]),
        ({"error": "provider_cut"}, [2]),
        ({"error": "gateway:invalid_api_key"}, [3]),
        ({"error": "provider:invalid_api_key"}, []),
        ({"error": "provider_timeout"}, []),
        ({"origin": "provider"}, [2]),
        ({"origin": "gateway", "status": "4xx"}, [3]),
        ({"client": "10.0.0.7"}, [2]),
        ({"until": datetime.fromtimestamp(4_000_000_002, UTC)}, [1]),
        ({"until": datetime.fromtimestamp(4_000_000_003)}, [1, 2]),
        (
            {
                "since": datetime.fromtimestamp(4_000_000_002, UTC),
                "until": datetime.fromtimestamp(4_000_000_003, UTC),
            },
            [2],
        ),
    ],
)
def test_filters(filled, filters, expected):
    out, _ = shown(filled, as_json=True, **filters)
    assert [json.loads(line)["id"] for line in out.splitlines()] == [f"req_0000{n}" for n in expected]


def test_nothing_is_said_on_the_error_output(filled, tmp_path):
    assert shown(filled, key="nobody") == ("", "no record matches\n")
    out, err = shown(tmp_path / "elsewhere", as_json=True)
    assert out == ""
    assert "there is no journal in" in err


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"status": "bad"}, "429"),
        ({"ending": "happy"}, "cancelled"),
        ({"origin": "moon"}, "gateway, provider"),
        ({"error": "moon:refused"}, "gateway, provider"),
        ({"error": "gateway:unknown_path", "origin": "provider"}, "no error has the origin provider"),
        ({"since": datetime(2026, 1, 2, tzinfo=UTC), "until": datetime(2026, 1, 1, tzinfo=UTC)}, "has to be later"),
        ({"id": "req_0000"}, "ids req_00003, req_00002, req_00001: give more"),
    ],
)
def test_a_filter_that_cannot_match_is_refused(filled, filters, says):
    with pytest.raises(click.BadParameter, match=says):
        show(filled, **filters)


def test_a_journal_that_cannot_be_read(tmp_path):
    (tmp_path / "journal").write_text("no folder")
    with pytest.raises(click.ClickException, match="cannot be read"):
        show(tmp_path)


SCRIPT = (
    "import pathlib, sys; from headgate.journal.show import show; show(pathlib.Path(sys.argv[1]), **eval(sys.argv[2]))"
)


def on_terminal(data_dir, columns, settings=None, **environment):
    """What a terminal of so many columns is given."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), **environment}
    with open(theirs, "wb", buffering=0) as terminal:
        words = [str(data_dir), repr(settings or {})]
        process = Forked(words, code=SCRIPT, environ=environ, folder=data_dir, output=terminal, errors=terminal)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the other side has closed
        while chunk := os.read(ours, 65536):
            data += chunk
    os.close(ours)
    assert process.wait() == 0
    return data.decode()


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_the_table_fits_the_terminal(filled, columns):
    text = re.sub(r"\x1b\[\d*m", "", on_terminal(filled, columns))
    lines = text.splitlines()
    assert all(len(line) <= columns for line in lines)
    assert all(f"req_0000{n}" in lines[n] for n in (1, 2, 3))
    assert ("TOOK" in lines[0]) == (columns >= 80)
    assert ("TRIES" in lines[0]) == (columns >= 200), "rather than that the others are cut"


def test_eighty_columns_say_what_is_asked_most(opened, folder):
    """Who, which model, where it went, tokens, time, how it ended; and the id shown is an id that is taken."""
    journal, ids = opened(), Ids()
    told = {"model": "chat", "target": "groq/llama-3", "usage": Usage(input=1204, output=356), "duration": 1.5}
    made = [ids() for _ in range(3)]
    for id in made:
        journal.append(Record(id=id, time=4e9, key="demo", status=502, ending="failed", error="provider_cut", **told))
    lines = on_terminal(folder.parent, 80, NO_COLOR="1").splitlines()
    assert lines[0].split()[-8:] == ["ID", "KEY", "MODEL", "TARGET", "IN/OUT", "HTTP", "ERROR", "TOOK"]
    assert lines[1].split()[2:] == ["demo", "chat", "groq/llama-3", "1204/356", "502", "provider_cut", "1.5s"]
    short = [line.split()[1] for line in lines[1:]]
    assert len(set(short)) == 3
    for part, id in zip(short, made, strict=True):
        assert json.loads(shown(folder.parent, id=part, as_json=True)[0])["id"] == id


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_requests_without_a_model_are_told_apart_by_their_paths(opened, folder, record, columns):
    journal = opened()
    for path in ("/v1/chat", "/v2/models", "/robots"):
        journal.append(record(path=path, status=404, ending="refused", error="unknown_path", origin="gateway"))
    text = on_terminal(folder.parent, columns, NO_COLOR="1")
    assert all(path in text for path in ("/v1/chat", "/v2/models", "/robots"))
    assert "…" not in text or columns < 80
    assert ("gateway:unknown_path" in text) == (columns >= 80)


@pytest.mark.parametrize(
    ("zone", "at", "title", "moment"),
    [
        ("UTC0", 80, "TIME UTC", "07:06:41"),
        ("XXX-5:30", 80, "UTC+5:30", "12:36:41"),
        ("XXX-2", 200, "TIME (UTC+02:00)", "2096-10-02 09:06:41.000"),
    ],
)
def test_the_zone_of_the_times_is_said_once(opened, folder, record, zone, at, title, moment):
    opened().append(record(model="m" * 24, target="t" * 40, key="k" * 16, error="e" * 30))
    text = on_terminal(folder.parent, at, NO_COLOR="1", TZ=zone)
    assert text.startswith(title)
    assert text.splitlines()[1].startswith(f"{moment} ")
    assert text.count("UTC") == 1


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (Attempt("a/b", 0.2, 200), "a/b  200ms  answered 200"),
        (Attempt("a/b", 2.0, 429, "provider_refused", "slow down"), "answered 429: provider_refused  (slow down)"),
        (Attempt("a/b", 2.0, None, "provider_unreachable"), "a/b  2.0s  no answer: provider_unreachable"),
        (Attempt("a/b", 2.0, None, "provider_bad_reply"), "no usable answer: provider_bad_reply"),
        (Attempt("a/b", 2.0), "a/b  2.0s  no answer"),
        (Attempt("a/b", 0.2, 200, credential="main"), "1. a/b with the key main  200ms  answered 200"),
    ],
)
def test_what_came_of_an_attempt_is_said_in_words(opened, folder, record, attempt, words):
    opened().append(record(status=502, attempts=[attempt]))
    lines = shown(folder.parent, id="req_00001")[0].splitlines()
    (line,) = (line for line in lines if line.startswith("attempts"))
    assert line.endswith(words)


def test_colours_only_on_a_terminal_that_wants_them(filled):
    assert "\x1b[" in on_terminal(filled, 120)
    assert "\x1b" not in on_terminal(filled, 120, NO_COLOR="1")


def test_json_on_a_terminal_is_harmless(opened, folder, record):
    opened().append(record(model="\x9b31m\u202e"))
    text = on_terminal(folder.parent, 80, {"as_json": True})
    assert "\x9b" not in text
    assert json.loads(text)["model"] == "\x9b31m\u202e"


def test_a_reader_that_leaves_is_no_error(opened, folder, record):
    journal = opened()
    for _ in range(3_000):
        journal.append(record(model="m" * 100))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder.parent), "{}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_following_until_interrupted(opened, folder, record):
    journal = opened()
    journal.append(record())
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder.parent), "{'follow': True}"], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline().startswith("TIME")
        assert "req_00001" in process.stdout.readline()
        journal.append(record())
        assert "req_00002" in process.stdout.readline()
        process.send_signal(2)
    assert process.returncode == 0


def test_the_page_of_records_names_every_field():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "records.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(Record.__struct_fields__)
    assert all(f"`{name}`" in page for name in (*Attempt.__struct_fields__, *Usage.__struct_fields__))
    assert all(f"`{ending}`" in page for ending in get_args(Ending))
