"""The schema's own promises: every key described, defaults as documented, loopback told from the rest."""

import json
import re

import pydantic
import pytest

from headgate.config.explain import bare
from headgate.config.identities import Key
from headgate.config.schema import Config, Server, Stage, is_loopback
from headgate.config.secrets import hash_key
from headgate.config.targets import Model, Target


def fields(model, path=""):
    for name, field in model.model_fields.items():
        yield f"{path}{name}", field
        inner = bare(field.annotation)
        if isinstance(inner, type) and issubclass(inner, pydantic.BaseModel):
            yield from fields(inner, f"{path}{name}.")


def test_every_key_says_what_it_does():
    for model in (Config, Model, Key, Stage, Target):
        for path, field in fields(model):
            assert field.description, f"{path} has no description"


def test_times_and_sizes_say_their_unit():
    for path, field in fields(Config):
        if "timeout" in path or path.endswith(("delay", "keep_alive", "backoff")):
            assert "second" in field.description.lower(), path
        if "bytes" in path:
            assert "bytes" in field.description, path


def test_defaults():
    server = Server()
    assert (server.host, server.port, server.workers) == ("127.0.0.1", 4000, 1)
    assert server.max_body_bytes == 64 * 2**20
    assert server.max_reply_bytes == 256 * 2**20
    assert (server.header_timeout, server.body_idle_timeout, server.write_timeout) == (10, 10, 30)
    assert server.compression.enabled
    assert not server.compression.streams


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback(host):
    assert is_loopback(host)
    assert Server(host=host).metrics_access == "open"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.example.org", ""])
def test_not_loopback(host):
    assert not is_loopback(host)


def test_metrics_need_a_key_where_others_can_connect():
    assert Server(host="0.0.0.0").metrics_access == "key"
    assert Server(host="0.0.0.0", metrics="open").metrics_access == "open"


def test_a_key_is_known_by_its_hash():
    assert Key(name="a", key="abc").digest == hash_key("abc")
    assert Key(name="a", key_hash="sha256:" + "0" * 64).digest == "0" * 64


def test_short_forms():
    assert Model.model_validate("a/b").targets[0].model == "a/b"
    assert Target.model_validate("a/b/c").model == "a/b/c"


def test_no_pattern_repeats_a_class_of_all_letters_so_often_that_it_takes_megabytes():
    """Each repetition of `\\w`, `\\d` or `\\s` is 60 KB of what pydantic makes of a pattern; a length is none."""
    patterns = re.findall(r'"pattern": "(.*?)"', json.dumps(Config.model_json_schema(by_alias=True)))
    assert len(patterns) > 5
    assert [each for each in patterns if re.search(r"\\[wds][^\[\]]*\]?\{\d*,?\d+\}", each)] == []
