"""Whole files: what is right is loaded, what is wrong is told with its line, all at once, and no secret with it."""

import json
import os
import stat
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.load import load, places
from headgate.config.problems import ConfigError
from headgate.config.secrets import hash_key

LONG = "client-key-of-good-length"
SECRET = "sk-canary-0123456789abcdef"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="headgate.yaml"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


def problems(path, environ=None, overrides=None):
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, overrides)
    return caught.value.problems


def only(path, environ=None):
    (problem,) = problems(path, environ)
    return problem


WHOLE = """
    server: {host: 127.0.0.1, port: 4000, workers: 1, metrics: off}
    data_dir: data
    providers:
      openai:    {api_key: "${OPENAI_API_KEY}"}
      claude:    {kind: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
      local:     {kind: openai_compatible, base_url: http://127.0.0.1:9100/v1, api_key: none}
      simulator:
    models:
      chat: openai/gpt-4o-mini
      smart:
        policy: ordered
        targets: [openai/gpt-4o, {model: claude/claude-sonnet-4-5}]
        fallbacks: [local/org/llama-3.3-70b]
    keys:
      - {name: demo, key: "${DEMO_KEY}", models: [chat, smart, local/any]}
      - {name: hashed, key_hash: "sha256:${HASH}"}
    retry: {attempts: 5, backoff: 0.1}
    journal: {fsync: always}
    log: {level: debug, format: json}
"""
ENVIRON = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET + "2", "DEMO_KEY": LONG, "HASH": hash_key("x" + LONG)}


def test_a_whole_file(file, tmp_path):
    path = file(WHOLE)
    loaded = load(path, ENVIRON)
    config = loaded.config
    assert config.server.metrics_access == "off"
    assert config.data_dir == tmp_path / "data"
    assert config.providers["claude"].kind == "anthropic"
    assert config.providers["claude"].settings.api_key.get_secret_value() == SECRET + "2"
    assert config.providers["simulator"].kind == "simulator"
    assert [target.model for target in config.models["smart"].targets] == ["openai/gpt-4o", "claude/claude-sonnet-4-5"]
    assert config.models["smart"].fallbacks[0].model == "local/org/llama-3.3-70b"
    assert config.models["chat"].targets[0].model == "openai/gpt-4o-mini"
    assert [key.digest for key in config.keys] == [hash_key(LONG), hash_key("x" + LONG)]
    assert config.keys[0].models == ["chat", "smart", "local/any"]
    assert config.retry.attempts == 5
    assert config.retry.max_backoff == 5.0
    assert loaded.path == path
    assert loaded.files == {path}
    assert {SECRET, SECRET + "2", LONG} <= loaded.secrets
    assert "none" not in loaded.secrets
    assert not loaded.warnings


def test_nothing_shows_a_secret(file):
    loaded = load(file(WHOLE), ENVIRON)
    assert SECRET not in repr(loaded.config)
    assert LONG not in repr(loaded.config)


def test_a_provider_is_made_from_its_entry(file):
    entry = load(file(WHOLE), ENVIRON).config.providers["local"]
    provider = entry.type("local", entry.settings)
    assert provider.name == "local"


BROKEN = [
    ("server: {prot: 4000}", 1, "server.prot", "unknown key `prot`; did you mean `port`?"),
    ("modles: {}", 1, "modles", "unknown key `modles`; did you mean `models`?"),
    ("\n\nserver:\n  workers: many", 4, "server.workers", 'expected a whole number, found the text "many"'),
    ("server: {workers: 1.5}", 1, "server.workers", "expected a whole number, found the number 1.5"),
    ("server: {workers: 0}", 1, "server.workers", "must be at least 1, found the number 0"),
    ("server: {workers: [1]}", 1, "server.workers", "expected a whole number, found a list"),
    ("server: {port: 65536}", 1, "server.port", "must be at most 65535"),
    ("server: {port: -1}", 1, "server.port", "must be at least 0"),
    ("server: 3", 1, "server", "expected a mapping (`name: value`), found the number 3"),
    ("server: {metrics: everyone}", 1, "server.metrics", "expected 'open', 'key' or 'off', found the text"),
    ("server: {host: 4000}", 1, "server.host", "expected text, found the number 4000; put it in quotes"),
    ("server: {header_timeout: .inf}", 1, "server.header_timeout", "expected a finite number"),
    ("server: {compression: {enabled: perhaps}}", 1, "server.compression.enabled", "expected true or false, found"),
    ("server: {trusted_proxies: [10.0.0.0/99]}", 1, "server.trusted_proxies", "expected an IP address or network (10"),
    ("server: {admin: {port: 4000}}", 1, "server.admin.port", "port 4000 is the server's own"),
    ("server: {tls: {cert: no.pem, key: no.key}}", 1, "server.tls.cert", "cannot be read: No such file"),
    ("server: {tls: {cert: no.pem}}", 1, "server.tls.key", "`key` is missing"),
    ("server: {host: 'http://x'}", 1, "server.host", "not an address to listen on"),
    ("providers: [openai]", 1, "providers", "expected a mapping"),
    ("providers: {openai: text}", 1, "providers.openai", "expected a mapping"),
    ("providers:\n  mine: {}", 2, "providers.mine", "there is no kind of provider `mine`; there"),
    ("providers:\n  opnai: {}", 2, "providers.opnai", "did you mean `openai`? Or say what it is with `kind:`"),
    ("providers: {x: {kind: antropic}}", 1, "providers.x.kind", "no kind of provider `antropic`; did you mean `an"),
    ("providers: {x: {kind: [a]}}", 1, "providers.x.kind", "expected text, found a list"),
    ("providers: {x: {kind: 'nowhere.at:All'}}", 1, "providers.x.kind", "there is no module `nowhere`"),
    ("providers: {openai: {}}", 1, "providers.openai", "`api_key` is missing; set it, or the environment variable O"),
    ("providers: {openai: {api_key: ''}}", 1, "providers.openai.api_key", "`api_key` is empty; give the secret, or"),
    ("providers: {openai: {api_key: '${EMPTY}'}}", 1, "providers.openai.api_key", "is empty (from ${EMPTY})"),
    ("providers: {openai: {api_key: '${LINES}'}}", 1, "providers.openai.api_key", "cannot be sent in a header (from $"),
    ("providers: {openai: {api_key: 'file:none'}}", 1, "providers.openai.api_key", "cannot be read: No such file"),
    ("providers: {openai: {api_key: 'env:NONE'}}", 1, "providers.openai.api_key", "variable NONE is not set"),
    ("providers: {openai: {api_key: 12345}}", 1, "providers.openai.api_key", "expected text, found a number"),
    ("providers: {l: {kind: openai_compatible}}", 1, "providers.l.base_url", "`base_url` is missing"),
    ("providers: {ollama: {base_url: 'ftp://x'}}", 1, "providers.ollama.base_url", "must begin with http:// or https://"),
    ("providers: {ollama: {base_url: 'http://u:p@x'}}", 1, "providers.ollama.base_url", "no user name or password"),
    ("providers: {ollama: {base_url: 'http://'}}", 1, "providers.ollama.base_url", "the URL has no host"),
    ("providers: {ollama: {base_url: 'http://x:99999'}}", 1, "providers.ollama.base_url", "not a URL"),
    ("providers: {ollama: {base_url: 'http://x/#y'}}", 1, "providers.ollama.base_url", "fragment"),
    ("providers: {ollama: {base_url: 'http://x\\y'}}", 1, "providers.ollama.base_url", "printable ASCII"),
    ("providers: {ollama: {timeouts: {conect: 1}}}", 1, "providers.ollama.timeouts.conect", "did you mean `connect`?"),
    ("providers: {ollama: {timeouts: {idle: 0}}}", 1, "providers.ollama.timeouts.idle", "must be greater than 0"),
    ("providers: {ollama: {headers: {Host: x}}}", 1, "providers.ollama.headers.Host", "not a header that can be set"),
    ('providers: {ollama: {headers: {a: "b\\r\\nc: d"}}}', 1, "providers.ollama.headers.a", "printable ASCII"),
    ("providers: {a/b: {kind: ollama}}", 1, "providers.a/b", "not a provider's name"),
    ("models: {chat: simulater/x}\nproviders: {simulator: {}}", 1, "models.chat", "did you mean `simulator`?"),
    ("models:\n  chat: gpt-4o", 2, "models.chat", "`gpt-4o` is not a target; write provider/model"),
    ("models: {a: {targets: []}}", 1, "models.a.targets", "must not be empty"),
    ("models: {a: {fallbacks: []}}", 1, "models.a.targets", "`targets` is missing"),
    ("models: {a: simulator/x, b: {targets: [a-b, a]}}\nproviders: {simulator: }", 1, "models.b.targets[0]", "not a t"),
    ("models: {simulator/x: simulator/y}\nproviders: {simulator: }", 1, "models.simulator/x", "means a model of the"),
    ("models: {' ': simulator/y}\nproviders: {simulator: }", 1, "models. ", "not a model's name"),
    ("models: {a: {policy: orderd, targets: [simulator/y]}}\nproviders: {simulator: }", 1, "models.a.policy", "order"),
    ("keys: {name: x}", 1, "keys", "expected a list, found a mapping"),
    ("keys:\n- {name: x}", 2, "keys[0]", "a key needs `key` or `key_hash`, one of them"),
    ("keys:\n- {name: x, key: abc, key_hash: 'sha256:" + "a" * 64 + "'}", 2, "keys[0]", "one of them"),
    ("keys:\n- {key: client-key-of-good-length}", 2, "keys[0].name", "`name` is missing"),
    ("keys:\n- {name: x, key: ''}", 2, "keys[0].key", "`key` is empty"),
    ("keys:\n- {name: x, key: changeme}", 2, "keys[0].key", "a key that everybody knows"),
    ("keys:\n- {name: x, key: 'has a space in its middle'}", 2, "keys[0].key", "cannot be sent in a header"),
    ("keys:\n- {name: x, key_hash: 'sha256:" + hash_key("password") + "'}", 2, "keys[0].key_hash", "everybody knows"),
    ("keys:\n- {name: x, key_hash: abc}", 2, "keys[0].key_hash", "not of the right form; instead of `key`"),
    ("keys:\n- {name: x, key: client-key-of-good-length, models: [caht]}\nmodels: {chat: simulator/x}\n"
     "providers: {simulator: }", 2, "keys[0].models[0]", "there is no model `caht` in `models`; did you mean `chat`?"),
    ("keys:\n- {name: x, key: client-key-of-good-length, models: [nobody/x]}", 2, "keys[0].models[0]", "no provider"),
    ("server: {host: 0.0.0.0}\nkeys: [{name: x, key: 'abcdefghij'}]", 2, "keys[0].key", "fewer than 16 characters"),
    ("stages: [{use: alone}]", 1, "stages[0].use", "is not the path of a class"),
    ("stages: [{use: 'nowhere_at_all:X'}]", 1, "stages[0].use", "there is no module `nowhere_at_all`"),
    ("stages: [{use: 'os.path:join'}]", 1, "stages[0].use", "is not a Stage"),
    ("stages: [{with: {a: 1}}]", 1, "stages[0].use", "`use` is missing"),
    ("retry: {attempts: 0}", 1, "retry.attempts", "must be at least 1"),
    ("journal: {fsync: sometimes}", 1, "journal.fsync", "expected 'interval', 'never' or 'always'"),
    ("log: {level: loud}", 1, "log.level", "expected 'debug', 'info', 'warning' or 'error'"),
    ("data_dir: [x]", 1, "data_dir", "expected a path, found a list"),
    ("data_dir: ${NONE}", 1, "data_dir", "the environment variable NONE is not set"),
    ("data_dir: '${'", 1, "data_dir", "`${` is not a variable; write ${NAME}, or $$ for a dollar sign"),
    ("server: {host: ''}", 1, "server.host", "must not be empty"),
    ("server: {host: 300.1.1.1}", 1, "server.host", "not an IP address to listen on; write an IP address, such as"),
    ("server: {admin: {host: '[::1]'}}", 1, "server.admin.host", "not an IP address to listen on"),
    ("providers: {l: {kind: openai_compatible}}", 1, "providers.l.base_url", "missing; where the API is, up to"),
    ("providers: {ollama: {base_url: 'http://x/v1/chat/completions/'}}", 1, "providers.ollama.base_url",
     "base_url ends before /chat/completions, as in the vendor's SDK: http://x/v1;"),
    ("providers: {anthropic: {api_key: a1, base_url: 'https://x/v1/messages'}}", 1, "providers.anthropic.base_url",
     "base_url ends before /v1/messages, as in the vendor's SDK: https://x;"),
    ("providers: {ollama: {base_url: 'http://x/v1/messages'}}", 1, "providers.ollama.base_url", "before /messages, as"),
    ("models: {e: [simulator/x, y]}\nproviders: {simulator: }", 1, "models.e[1]", "`y` is not a target"),
    ("models: {e: [{model: simulator/x, mdl: 1}]}\nproviders: {simulator: }", 1, "models.e[0].mdl", "unknown key"),
    ("models: {e: {targets: y}}\nproviders: {simulator: }", 1, "models.e.targets", "`y` is not a target"),
    ("models: {e: []}", 1, "models.e", "must not be empty"),
    ("data_dir: ~no-such-user-here/x", 1, "data_dir", "without a home directory"),
    ("data_dir: \"a\\0b\"", 1, "data_dir", "expected a path"),
    ("upstream: {ca_file: \"a\\0b\"}", 1, "upstream.ca_file", "null character"),
    ("models: {a: ${M}}", 1, "", "not valid YAML: did not find expected ',' or '}'; put ${NAME} in quotes"),
    ("- a", 1, "", "expected a mapping"),
    ("just text", 1, "", "expected a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "path", "words"), BROKEN, ids=[f"{case[2]}-{n}" for n, case in enumerate(BROKEN)]
)
def test_what_is_wrong_is_told_with_its_line(file, text, line, path, words):
    environ = {"EMPTY": "", "LINES": "sk-with-a-line\nbreak"}
    found = problems(file(text), environ)
    told = [problem for problem in found if problem.path.startswith(path)]
    assert told, f"told was only {[str(problem) for problem in found]}"
    assert told[0].line == line
    assert words in f"{told[0].message}; {told[0].hint}"
    assert told[0].file == "headgate.yaml"


def test_everything_wrong_is_told_at_once_sorted_by_line(file):
    found = problems(
        file("""
        sever: {}
        server: {prot: 1, workers: x}
        providers: {claude: {kind: antropic, api_key: "${NO_KEY_HERE}"}, local: {kind: ollama, tmeouts: {}}}
        models: {chat: {policy: orderd, targets: [nobody/x], extra: 1}}
        keys: [{name: a, key: changeme, models: [caht]}]
        """)
    )
    assert [problem.line for problem in found] == [2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6]


def test_a_provider_that_is_broken_itself_is_not_called_unknown(file):
    found = problems(
        file("providers: {openai: {api_kye: x}}\nmodels: {chat: openai/gpt-4o}"), {"OPENAI_API_KEY": SECRET}
    )
    assert [problem.path for problem in found] == ["providers.openai.api_kye"]


@pytest.mark.parametrize(
    "text",
    [
        "providers: {openai: {api_key: [%s]}}",
        "providers: {openai: {api_kye: %s}}",
        "providers: {openai: %s}",
        "providers: [%s]",
        "keys: [%s]",
        "keys: [{name: [%s], key: x}]",
        "keys: [{name: a, key_hash: %s}]",
        "server: {port: %s}",
        "server: {port: '${TOKEN}'}",
        "log: {level: '${TOKEN}'}",
        "retry: {attempts: '${TOKEN}'}",
        "providers: {ollama: {base_url: 'ftp://%s'}}",
        "providers: {ollama: {headers: {authorization: ['%s']}}}",
        "journal: %s",
    ],
)
def test_no_problem_tells_a_value_that_may_be_secret(file, text):
    found = problems(file(text.replace("%s", SECRET)), {"TOKEN": SECRET})
    assert SECRET not in " ".join(map(str, found))


REALKEY = "sk-proj-" + "aB3dE5gH7j" * 6
"""As long as a real one: 68 characters."""
PASSPHRASE = "correct.horse:battery/staple"
"""A secret that does not look like one."""


@pytest.mark.parametrize("secret", [REALKEY, PASSPHRASE, "hunter2", "abc.def", "two words\nand a line of them"])
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("providers: {x: {kind: '%s'}}", "providers.x.kind"),
        ("providers: {x: '%s'}", "providers.x"),
        ("providers: {openai: {api_key: a1, timeouts: '%s'}}", "providers.openai.timeouts"),
        ("providers: {ollama: {base_url: '%s'}}", "providers.ollama.base_url"),
        ("models: {a: {targets: ['%s']}}", "models.a.targets[0]"),
        ("models: {a: [{model: 'x/%s'}]}", "models.a[0].model"),
        ("models: {a: '%s'}", "models.a"),
        ("models: {a: '%s/x'}", "models.a"),
        ("models: {b: {policy: '%s', targets: [simulator/x]}}\nproviders: {simulator: }", "models.b.policy"),
        ("keys: [{name: a, key: 'client-key-of-good-length', models: ['%s']}]", "keys[0].models[0]"),
        ("keys: [{name: a, key: 'client-key-of-good-length', models: ['%s/x']}]", "keys[0].models[0]"),
        ("keys: [{name: admin, key: '%s', key_hash: x}]", "keys[0].key_hash"),
        ("keys: ['%s']", "keys[0]"),
        ("stages: [{use: '%s'}]", "stages[0].use"),
        ("stages: [{use: 'x.%s'}]", "stages[0].use"),
        ("dialects: ['%s']", "dialects[0]"),
        ("dialects: ['x.%s']", "dialects[0]"),
        ("server: {trusted_proxies: ['%s']}", "server.trusted_proxies[0]"),
        ("server: {port: '%s'}", "server.port"),
        ("upstream: {ca_file: '%s'}", "upstream.ca_file"),
        ("upstream: {ca_file: '/tmp/%s'}", "upstream.ca_file"),
        ("server: {tls: {cert: '%s', key: '%s'}}", "server.tls.cert"),
        ("providers: {openai: {api_key: 'file:%s'}}", "providers.openai.api_key"),
        ("providers: {openai: {api_key: 'env:%s'}}", "providers.openai.api_key"),
        ("log: {level: '%s'}", "log.level"),
        ("journal: '%s'", "journal"),
    ],
)
def test_a_variables_value_is_never_told(file, text, path, secret):
    found = problems(file(text.replace("%s", "${SOME_VALUE}")), {"SOME_VALUE": secret})
    assert path in [problem.path for problem in found]
    said = " ".join(map(str, found))
    for piece in (secret, ascii(secret)[1:-1], secret[:12], secret[-12:], *secret.split(".")):
        assert piece not in said or piece == "def", said  # `def` is three letters of `default`


def test_a_problem_shows_the_variable_as_it_is_written(file):
    found = problems(
        file("models: {a: '${REALKEY}'}\nproviders: {x: {kind: '${REALKEY}'}}\nupstream: {ca_file: '${REALKEY}'}"),
        {"REALKEY": REALKEY},
    )
    assert [problem.message for problem in found] == [
        "`${REALKEY}` is not a target",
        "`${REALKEY}` cannot be loaded",
        "${REALKEY} cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "models: {c: %s}",
        "providers: {openai: %s}",
        "providers: [%s]",
        "keys: [%s]",
        "keys: [{name: a, key: client-key-of-good-length, models: [%s]}]",
        "%s: {}",
        "server: {%s: 1}",
        "providers: {openai: {%s: 1}}",
        "models: {'%s': {targets: []}}",
        "stages: [{use: %s}]",
        "dialects: [%s]",
        "log: {level: %s}",
        "providers: {x: {kind: %s}}",
        "a: *%s",
        "a: !%s x",
        "{%s: 1, %s: 2}",
    ],
)
@pytest.mark.parametrize("secret", ["sk-INLINE-SECRET-2", "hg-0123456789", "q7Zr2Lw9Xc4Vb8Nm1Kj5", REALKEY])
def test_what_looks_like_a_key_is_not_told_wherever_it_stands(file, text, secret):
    assert secret[:9] not in " ".join(map(str, problems(file(text.replace("%s", secret)))))


def test_values_of_files_and_variables_are_caught_by_the_last_net(file, tmp_path):
    (tmp_path / "own_stage_net.py").write_text(
        "class Echo:\n    def __init__(self, greeting='from-the-file'):\n        pass\n"
        "    async def __call__(self, exchange, proceed):\n        return await proceed(exchange)\n"
    )
    (tmp_path / "secret").write_text("from-the-file")
    text = "stages: [{use: 'own_stage_net:Echo', with: {x: 1}}]\nproviders: {openai: {api_key: '%s'}}"
    for reference, environ in (("file:secret", {}), ("env:E", {"E": "from-the-file"})):
        (problem,) = problems(file(text % reference), environ)
        assert problem.hint == "it takes (greeting='…')"


def test_ordinary_names_are_told_in_full(file):
    for name in ("claude-sonnet-4-5-20250929", "meta-llama-Llama-3.3-70B-Instruct-Turbo", "qwen2.5-coder-32b-instruct"):
        assert f"`{name}`" in only(file(f"models: {{a: {name}}}")).message


def test_a_wrong_entry_does_not_move_the_places_of_those_after_it(file):
    path = file(f"""
        providers: {{simulator: }}
        keys:
          - {{name: a, key: ""}}
          - {{name: b, key: {LONG}}}
          - {{name: c}}
          - {{name: a, key: {LONG}-2}}
        dialects:
          - 3
          - nodots
        stages:
          - {{with: {{}}}}
          - {{use: nodots}}
        """)
    assert [(problem.line, problem.path) for problem in problems(path)] == [
        (4, "keys[0].key"),
        (6, "keys[2]"),
        (7, "keys[3].name"),
        (9, "dialects[0]"),
        (10, "dialects[1]"),
        (12, "stages[0].use"),
        (13, "stages[1].use"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "log: {level: '${X}'}",
        "server: {port: '${X}'}",
        "server: {trusted_proxies: ['${X}']}",
        "providers: {x: {kind: '${X}'}}",
        "providers: {ollama: {base_url: '${X}'}}",
        "providers: {openai: {api_key: '${X}'}}",
        "providers: {simulator: }\nmodels: {a: '${X}'}",
        "providers: {simulator: }\nmodels: {a: {policy: '${X}', targets: [simulator/x]}}",
        "keys: [{name: '${X}', key: client-key-of-good-length}]",
        "keys: [{name: a, key: '${X}'}]",
        "stages: [{use: '${X}'}]",
        "dialects: ['${X}']",
        "data_dir: '${X}'",
        "upstream: '${X}'",
    ],
)
def test_an_unset_variable_is_one_problem(file, text):
    assert only(file(text)).message == "the environment variable X is not set"


def test_the_short_forms_of_a_model(file):
    text = "providers: {s: {kind: simulator}}\nmodels: {e: [s/x, s/y], f: {targets: s/x, fallbacks: s/y}}"
    models = load(file(text), {}).config.models
    assert [target.model for target in models["e"].targets] == ["s/x", "s/y"]
    assert [target.model for target in models["f"].targets] == ["s/x"]
    assert [target.model for target in models["f"].fallbacks] == ["s/y"]


def test_keys_that_are_equal_or_share_a_name(file):
    path = file(f"""
        keys:
          - {{name: a, key: {LONG}}}
          - {{name: b, key: {LONG}}}
          - {{name: c, key_hash: "sha256:{hash_key(LONG)}"}}
          - {{name: a, key: {LONG}-other}}
        """)
    assert [(problem.line, problem.message) for problem in problems(path)] == [
        (4, "the keys `a` and `b` are the same"),
        (5, "the keys `a` and `c` are the same"),
        (6, "the name `a` is taken by another key"),
    ]


def test_short_keys_are_a_warning_on_loopback(file):
    (warning,) = load(file("providers: {simulator: }\nkeys: [{name: x, key: abcdefghij}]"), {}).warnings
    assert "`x` has fewer than 16 characters" in warning
    assert "abcdefghij" not in warning


def test_a_key_sent_in_clear_over_a_network_is_a_warning(file):
    text = "providers: {x: {kind: openai_compatible, base_url: 'http://%s/v1', api_key: %s}}"
    assert "unencrypted" in load(file(text % ("192.0.2.1", SECRET)), {}).warnings[0]
    assert not load(file(text % ("127.0.0.1", SECRET)), {}).warnings
    assert not load(file(text % ("192.0.2.1", "none")), {}).warnings


def test_a_reference_in_capitals_is_told_and_its_text_is_not(file):
    text = "providers: {x: {kind: openai_compatible, base_url: 'https://192.0.2.1/v1', api_key: 'Vault:llm/key'}}"
    (warning,) = load(file(text), {}).warnings
    assert "`x` is sent as it stands: a reference begins in lower case" in warning
    assert "llm/key" not in warning


def test_secrets_from_files_are_relative_and_watched(file, tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "openai").write_text(SECRET + "\n")
    path = file("providers: {openai: {api_key: 'file:keys/openai'}}")
    loaded = load(path, {})
    assert loaded.config.providers["openai"].settings.api_key.get_secret_value() == SECRET
    assert loaded.files == {path, tmp_path / "keys" / "openai"}
    assert SECRET in loaded.secrets


def test_the_usual_variable_is_taken_but_only_for_the_vendors_own_address(file):
    environ = {"OPENAI_API_KEY": SECRET}
    loaded = load(file("providers: {openai: {}}"), environ)
    assert loaded.config.providers["openai"].settings.api_key.get_secret_value() == SECRET
    loaded = load(file("providers: {openai: {base_url: 'http://127.0.0.1:1/v1'}}"), environ)
    assert loaded.config.providers["openai"].settings.api_key is None


def test_plugins_beside_the_file(file, tmp_path):
    (tmp_path / "my_stages_here.py").write_text(
        "class AddGreeting:\n"
        "    def __init__(self, greeting, loud=False):\n        self.greeting = greeting\n"
        "    async def __call__(self, exchange, proceed):\n        return await proceed(exchange)\n"
    )
    text = "stages: [{use: 'my_stages_here:AddGreeting', with: {%s}}]"
    (stage,) = load(file(text % "greeting: hi"), {}).config.stages
    assert (stage.use, stage.settings) == ("my_stages_here:AddGreeting", {"greeting": "hi"})
    problem = only(file(text % "gretting: hi"))
    assert problem.path == "stages[0].with"
    assert "it takes (greeting, loud=False)" in problem.hint


def test_numbers_may_come_from_variables(file):
    assert load(file("server: {port: '${PORT:-4010}', reuse_port: '${R}'}"), {"R": "true"}).config.server.port == 4010
    problem = only(file("server: {port: '${PORT}'}"), {"PORT": "x" * 50})
    assert problem.message == 'expected a whole number, found the text "${PORT}"'


def test_an_alias_is_filled_once(file):
    loaded = load(file("models: {a: &a '${M}', b: *a}\nproviders: {simulator: }"), {"M": "simulator/$$x"})
    assert {model.targets[0].model for model in loaded.config.models.values()} == {"simulator/$$x"}


def test_overrides_win_and_are_told_as_such(file):
    path = file("server: {port: 4000, workers: 1}")
    loaded = load(path, {}, {"server.port": 5000, "server.host": "::1", "data_dir": "/var/lib/x"})
    assert (loaded.config.server.port, loaded.config.server.host) == (5000, "::1")
    assert loaded.config.data_dir == Path("/var/lib/x")
    assert loaded.again({}).config.server.port == 5000
    (problem,) = problems(path, overrides={"server.port": 70000})
    assert str(problem) == "command line: server.port: must be at most 65535, found the number 70000"
    (problem,) = problems(file("server: 3"), overrides={"server.port": 70000})
    assert problem.file == "command line"


def test_the_admin_key_of_the_environment_is_a_secret(file):
    assert SECRET in load(file(""), {"HEADGATE_ADMIN_KEY": SECRET}).secrets


def test_an_empty_file_is_all_defaults(file):
    assert load(file(""), {}).warnings == [
        "there are no `providers`: every request will be refused; add one, or start without a file"
    ]
    config = load(file("# nothing\n"), {}).config
    assert config.server.port == 4000
    assert config.providers == {}
    assert load(file("server:\nmodels:\nkeys:\n"), {}).config.server.max_requests == 2000


def test_files_that_cannot_be_read(file, tmp_path):
    assert "cannot be read: No such file" in str(only(tmp_path / "missing.yaml"))
    assert "cannot be read: Is a directory" in str(only(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_rights(file):
    path = file("server: {}")
    path.chmod(stat.S_IWUSR)
    assert "Permission denied" in str(only(path))


def test_where_the_file_is_looked_for(file, tmp_path):
    assert load(None, {"HEADGATE_CONFIG": str(file("server: {port: 1}", "other.yaml"))}).config.server.port == 1
    file("server: {port: 2}", "headgate.yml")
    assert load(None, {}).config.server.port == 2
    file("server: {port: 3}")
    assert load(None, {}).config.server.port == 3
    assert "missing" in str(only(None, {"HEADGATE_CONFIG": str(tmp_path / "missing.yaml")}))


def test_the_data_directory_is_known_whatever_else_is_wrong(file, tmp_path):
    assert places(None, {}).data_dir == tmp_path / ".headgate"
    path = file("data_dir: ${WHERE:-here}\nmodles: {}\nproviders: {openai: {api_key: '${UNSET}'}}")
    assert places(path, {}).data_dir == tmp_path / "here"
    with pytest.raises(ConfigError, match="expected a path"):
        places(file("data_dir: 3"), {})


SECTIONS = st.sampled_from(
    ["server", "data_dir", "providers", "models", "keys", "stages", "retry", "journal", "log", "x"]
)
WORDS = st.sampled_from(["name", "key", "models", "kind", "targets", "with", "use", "host", "tls", "admin", "q"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab/:${}", max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(SECTIONS, VALUES, max_size=4))
def test_any_document_is_loaded_or_refused_with_problems(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("any") / "headgate.yaml"
    path.write_text(
        json.dumps(document).replace("NaN", ".nan").replace("-Infinity", "-.inf").replace("Infinity", ".inf")
    )
    try:
        loaded = load(path, {})
    except ConfigError as error:
        assert all(problem.line >= 1 for problem in error.problems)  # noqa: PT017  # both outcomes are right
    else:
        assert loaded.path == path


def test_keys_that_soon_expire_are_a_warning(file):
    now = datetime.now(UTC)
    ends = {"past": -1, "later": 9, "soon": 2, "far": 20}
    keys = [
        {"name": name, "key": f"{SECRET}-{name}", "expires": str(now + timedelta(days))} for name, days in ends.items()
    ]
    keys.append({**keys[2], "name": "off", "key": f"{SECRET}-off", "enabled": False})
    text = f"providers: {{simulator: }}\nkey_policy: {{warn_days: 10}}\nkeys: {json.dumps(keys)}"
    said = load(file(text), {}).warnings
    assert [warning.split(" expires on ")[0] for warning in said] == ["the key `soon`", "the key `later`"]
    assert f"{now + timedelta(2):%Y-%m-%d at %H:%M UTC}" in said[0]
    assert load(file(text.replace("warn_days: 10", "warn_days: 0")), {}).warnings == []
