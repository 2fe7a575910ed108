"""What is logged is one harmless entry per record, without secrets, and never makes anybody wait."""

import asyncio
import io
import json
import logging
import os
import threading
import time
import unicodedata
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.ids import name_task
from headgate.telemetry.logs import Formatter, Redactor, start
from together import together

NASTY = [
    "a\r\n2026-01-01 00:00:00.000 ERROR root: forged",
    "\x1b[2J\x1b[31mred\x07",
    "\x9b31m",
    "\u202egnp.exe\u2066",
    "a\u2028b\u2029c\x85d\x0be",
    "\x00null\x7f",
    "\ud800lone",
    "%s %d {} \\n",
    "<script>alert(1)</script>",
]


class Captured:
    """Logging into a string; `text` stops it first, so that everything is written."""

    def __init__(self, **settings):
        self.stream = io.StringIO()
        self.logs = start(stream=self.stream, **settings)

    def text(self):
        self.logs.stop()
        return self.stream.getvalue()

    def entries(self):
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def capture():
    running = []

    def begin(**settings):
        running.append(Captured(**settings))
        return running[-1]

    yield begin
    for one in running:
        one.logs.stop()


log = logging.getLogger("headgate.test")


def fail(message):
    try:
        raise RuntimeError(message)  # noqa: TRY301
    except RuntimeError:
        log.exception("it failed", extra={"request_id": "req_1"})


def test_json_has_the_fields_programs_look_for(capture):
    captured = capture(level="debug")
    log.info("listening on %s", "http://127.0.0.1:4000", extra={"request_id": "req_1", "port": 4000})
    fail("broken")
    first, second = captured.entries()
    assert first["time"].endswith("Z")
    del first["time"]
    assert first == {
        "level": "info",
        "logger": "headgate.test",
        "message": "listening on http://127.0.0.1:4000",
        "request_id": "req_1",
        "port": "4000",
    }
    assert second["exception"].startswith("Traceback (most recent call last):\n")
    assert second["exception"].endswith("RuntimeError: broken")


@pytest.mark.parametrize("trace", ["", "f" * 32])
async def test_what_is_logged_while_a_request_is_served_names_it(capture, trace):
    captured = capture()

    async def serve(id):
        name_task(id, trace)
        await asyncio.sleep(0)
        log.info("of a plug-in")
        log.info("of its own", extra={"request_id": "other"})
        await asyncio.ensure_future(later())

    async def later():
        log.info("of what outlives it")

    await asyncio.gather(*(asyncio.ensure_future(serve(id)) for id in ("req_1", "req_2")))
    await asyncio.to_thread(log.info, "of a thread")
    log.info("of nobody")
    told = [(entry["message"], entry.get("request_id"), entry.get("trace_id", "")) for entry in captured.entries()]
    assert sorted(told, key=str) == sorted(
        [
            *(("of a plug-in", id, trace) for id in ("req_1", "req_2")),
            *[("of its own", "other", trace)] * 2,
            *[("of what outlives it", None, "")] * 2,
            ("of a thread", None, ""),
            ("of nobody", None, ""),
        ],
        key=str,
    )


def test_text_is_for_people(capture):
    captured = capture(form="text")
    log.warning("slow disk", extra={"request_id": "req_1"})
    fail("broken")
    first, second, *trace = captured.text().splitlines()
    assert first.endswith(" WARNING headgate.test: slow disk request_id=req_1")
    assert second.endswith(" ERROR headgate.test: it failed request_id=req_1")
    assert all(line.startswith("    | ") for line in trace)
    assert trace[-1] == "    | RuntimeError: broken"


def test_a_field_cannot_replace_those_of_the_entry(capture):
    captured = capture()
    log.info("true", extra={"time": "never", "level": "fine", "logger": "nobody"})
    (entry,) = captured.entries()
    assert (entry["level"], entry["logger"]) == ("info", "headgate.test")
    assert entry["time"] != "never"


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_logged_acts_or_forges_an_entry(capture, nasty, form):
    captured = capture(form=form)
    log.info(nasty)
    log.info("argument %s", nasty)
    log.info("field", extra={"request_id": nasty, "na\nme": nasty})
    logging.getLogger(f"headgate.{nasty}").info("logger")
    fail(nasty)
    text = captured.text()
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") for c in text.replace("\n", ""))
    assert not set(text) & set("\u202e\u2066")
    entries = [line for line in text.split("\n") if line and not line.startswith("    | ")]
    assert len(entries) == 5
    if form == "json":
        for line in entries:
            values = "".join(value for key, value in json.loads(line).items() if key != "exception")
            assert values.isprintable()


SECRETS = ["hg-demo/key+1=", "pässwörd-123", 'quo"ted\\secret', "sk-ant-REAL-0123456789"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_nowhere(capture, secret, form):
    captured = capture(form=form, secrets=SECRETS, level="debug")
    log.info("key " + secret)
    log.info("keys %s and %r and %s", secret, secret, {"k": [secret]})
    log.info("body %s", json.dumps({"key": secret}), extra={"header": f"Bearer {secret}", "key": secret})
    fail(f"refused {secret}")
    text = captured.text()
    assert text.count("[redacted]") >= 7
    for form_of_it in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3]):
        assert form_of_it not in text


@together(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization=Basic {}",
        "{{'x-api-key': '{}'}}",
        "(b'x-goog-api-key', b'{}')",
        '{{"api_key": "{}"}}',
        '"{{\\"api_key\\": \\"{}\\"}}"',
        "https://host/v1beta/models?key={}&alt=sse",
        "postgres://headgate:{}@db:5432/x",
        "token sk-{}",
        "AIza{}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_too(text):
    secret = "Zx9QwertyuiopAsdfgh1234567890"
    hidden = Redactor()(text.format(secret))
    assert secret not in hidden
    assert "[redacted]" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "providers.openai.api_key: the variable OPENAI_API_KEY is not set",
        "http://127.0.0.1:4000/v1/chat/completions",
        "task-based disk-1234567890 risk-assessment",
        "a key named demo asked for smart",
    ],
)
def test_what_is_no_secret_stands(text):
    assert Redactor(["", "demo", "none"])(text) == text


def test_secrets_of_a_later_configuration(capture):
    captured = capture(secrets=["old-secret"])
    captured.logs.redact.know(["new-secret"])
    log.info("it is new-secret now")
    (entry,) = captured.entries()
    assert entry["message"] == "it is [redacted] now"


@given(text=st.text(st.characters(exclude_categories=()), max_size=200))
@settings(deadline=None)
def test_any_text_makes_one_line_of_json(text):
    formatter = Formatter(Redactor(["some-secret"]), as_json=True)
    line = formatter.format(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))
    assert "\n" not in line
    assert json.loads(line)["logger"] == "x"
    line.encode()


def test_long_messages_are_cut(capture):
    captured = capture()
    log.info("x" * 100_000)
    (entry,) = captured.entries()
    assert len(entry["message"]) < 17_000
    assert "more characters" in entry["message"]


def test_arguments_that_do_not_fit_lose_nothing_else(capture):
    captured = capture()
    log.info("%d of %d", "one")
    log.info("after")
    first, second = captured.entries()
    assert "arguments that do not fit" in first["message"]
    assert second["message"] == "after"


def test_arguments_are_read_when_logged(capture):
    captured = capture()
    changing = ["then"]
    log.info("%s", changing)
    changing[0] = "now"
    assert captured.entries()[0]["message"] == "['then']"


def test_warnings_take_the_same_way(capture):
    captured = capture()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)
    [warning] = captured.entries()
    assert warning["logger"] == "py.warnings"


def test_everything_is_as_before_afterwards(capture):
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    captured = capture(level="error")
    assert root.handlers != before[0]
    captured.logs.stop()
    captured.logs.stop()
    assert (root.handlers, root.level) == before


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="debug, info, warning, error or critical"):
        start("loud")


def test_nobody_waits_for_a_reader_that_does_not_read(capture):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logs = start(stream=stream)
        begun = time.monotonic()
        for _ in range(12_000):
            log.info("x" * 200)
        assert logs.dropped > 0
        logs.stop(0.2)
        assert time.monotonic() - begun < 30, "a writer that waited would never have come here"
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reading, 65536), b"")])
        reader.start()
        for thread in threading.enumerate():
            if thread.name.endswith("(_monitor)"):
                thread.join(10)
                assert not thread.is_alive()
    reader.join()
    os.close(reading)


def test_entries_lost_are_told_when_there_is_room_again():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logs = start(stream=stream)
        while not logs.dropped:
            log.info("x" * 200)
        seen = bytearray()

        def drain():
            while chunk := os.read(reading, 65536):
                seen.extend(chunk)

        reader = threading.Thread(target=drain)
        reader.start()
        while b"entries so far were dropped" not in seen:
            log.info("more")
            time.sleep(0.01)
        logs.stop()
    reader.join()
    os.close(reading)


def test_a_reader_that_has_gone_is_no_failure():
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    logs = start(stream=stream)
    log.info("into the void")
    logs.stop()
    with pytest.raises(BrokenPipeError):
        stream.close()
