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

from headgate.core.chat import Loss
from headgate.core.record import Attempt, Ending, Record
from headgate.core.usage import Usage
from headgate.journal.segments import segments
from headgate.journal.show import show


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
    journal.append(record(model="\x1b[31mevil\nname\u202e", status=401, ending="refused"))
    return folder.parent


def shown(data_dir, **settings):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        show(data_dir, **settings)
    return out.getvalue(), err.getvalue()


def test_a_table_of_all(filled):
    out, err = shown(filled)
    head, first, second, third = out.splitlines()
    assert " ".join(head.split()) == "TIME ID KEY MODEL TARGET STATUS ENDING IN OUT TTFT DURATION TRIES"
    assert " ".join(first.split()[2:]) == "req_00001 demo chat openai/gpt-4o-mini 200 complete - - 210ms 1.5s"
    # tries are told where there was more than one
    assert second.split(maxsplit=2)[2].split()[3:] == [
        "claude/claude-sonnet-4-5",
        "502",
        "failed",
        "120",
        "7",
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
        "seconds: 0.5",
    ):
        assert told in out
    assert "req_00001" not in out
    out, _ = shown(filled, id="req_00003")
    assert "\x1b" not in out
    assert "\u202e" not in out


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


@pytest.mark.parametrize(("filters", "says"), [({"status": "bad"}, "429"), ({"ending": "happy"}, "cancelled")])
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
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data_dir), repr(settings or {})],
        stdout=theirs,
        env={**os.environ, "COLUMNS": str(columns), **environment},
    )
    os.close(theirs)
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
    assert all(len(line) <= max(columns, 46) for line in lines), "time, id and status always stand"
    assert "req_00001" in lines[1]
    assert ("DURATION" in lines[0]) == (columns >= 80)
    assert ("TRIES" in lines[0]) == (columns >= 200)


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
