"""A configuration becomes a Gateway: what is in it, which dialect an error is in, whose address a client has."""

import pytest

from headgate.config.load import load
from headgate.config.secrets import hash_key
from headgate.core.caller import Born, Caller
from headgate.core.keys import digest
from headgate.core.plugin import PluginNotFound
from headgate.core.standing import Board
from headgate.dialects import anthropic_messages, openai_chat
from headgate.runtime.build import build
from headgate.runtime.gateway import Ports
from headgate.stages.policies.ordered import Ordered

KEY = "hg-runtime-key-0123456789"
ADMIN_DIGEST = digest(b"hg-admin-key-0123456789").hex()
CONFIG = f"""
providers:
  openai: {{api_key: sk-0123456789}}
  claude: {{kind: anthropic, api_key: sk-ant-0123456789}}
  simulator: {{}}
models:
  chat: openai/gpt-4o-mini
  smart: {{targets: [openai/gpt-4o, claude/claude-sonnet-4-5], fallbacks: [simulator/sim]}}
keys:
  - {{name: all, key: {KEY}}}
  - {{name: some, key: hg-another-key-0123456789, models: [chat, 'claude/*', openai/gpt-4o]}}
  - {{name: none, key: hg-a-third-key-0123456789, models: []}}
"""


class Nothing:
    """Ports that are not used while a gateway is built."""

    full = False

    def append(self, record):
        raise AssertionError("nothing is recorded here")

    def count(self, record):
        raise AssertionError("nothing is counted here")

    async def post(self, endpoint, body, headers=()):
        raise AssertionError("nobody is asked here")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Builds the gateway of a configuration's text."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text=CONFIG, board=None):
        path = tmp_path / "headgate.yaml"
        path.write_text(text)
        port = Nothing()
        return build(load(path, {}).config, Ports(port, port, port, board=board or Board()), ADMIN_DIGEST)

    return make


def test_aliases_name_targets_at_the_configured_providers(made):
    route = made().route
    assert {name: [target.name for target in alias.targets] for name, alias in route.aliases.items()} == {
        "chat": ["openai/gpt-4o-mini"],
        "smart": ["openai/gpt-4o", "claude/claude-sonnet-4-5"],
    }
    assert [target.name for target in route.aliases["smart"].fallbacks] == ["simulator/sim"]
    assert isinstance(route.aliases["chat"].policy, Ordered)
    assert route.aliases["smart"].targets[1].provider is route.providers["claude"]
    assert route.providers["claude"].dialects[0] is anthropic_messages


def test_callers_are_known_by_their_digests(made):
    authenticate = made().authenticate
    assert authenticate.known([(b"x-api-key", KEY.encode())]) == Caller("all", born=Born(key=hash_key(KEY)))
    assert authenticate.known([(b"x-api-key", b"hg-admin-key-0123456789")]).role == "owner"
    some = authenticate.known([(b"x-api-key", b"hg-another-key-0123456789")])
    assert (some.models, some.families) == (frozenset({"chat", "openai/gpt-4o"}), ("claude/",))
    assert not authenticate.known([(b"x-api-key", b"hg-a-third-key-0123456789")]).may_use("chat")
    assert KEY.encode() not in b"".join(authenticate.callers)


def test_every_dialect_has_its_paths(made):
    faces = made().faces
    assert faces[b"/v1/chat/completions"] is openai_chat
    assert faces[b"/v1/messages"] is anthropic_messages


def test_each_build_is_a_snapshot_of_its_own(made):
    one, other = made(), made(CONFIG.replace("chat: openai", "chat: simulator"))
    assert one.route.aliases["chat"].targets[0].name == "openai/gpt-4o-mini"
    assert other.route.aliases["chat"].targets[0].name == "simulator/gpt-4o-mini"
    assert one.route.providers["openai"] is not other.route.providers["openai"]


@pytest.mark.parametrize(
    ("path", "headers", "face"),
    [
        (b"/v1/chat/completion", (), openai_chat),
        (b"/v1/messages/", (), anthropic_messages),
        (b"/v1/messages/batches", (), anthropic_messages),
        (b"/", (), openai_chat),
        (b"/v1", (), openai_chat),
        (b"/nothing/like/it", (), openai_chat),
        (b"/nothing/like/it", ((b"anthropic-version", b"2023-06-01"),), anthropic_messages),
        (b"/v1/chat/completion", ((b"anthropic-version", b"2023-06-01"),), anthropic_messages),
        (b"/v1/models", ((b"openai-beta", b"x"),), openai_chat),
        (b"", (), openai_chat),
        (b"/v1/messages/" + b"a/" * 4000, (), anthropic_messages),
        (b"/a" * 4000 + b"/v1/messages", (), anthropic_messages),
    ],
)
def test_an_error_is_in_the_likeliest_dialect(made, path, headers, face):
    assert made().face_like(path, headers) is face


PROXIES = "server: {trusted_proxies: [10.0.0.0/8, '::1', 192.0.2.7]}\n"


@pytest.mark.parametrize(
    ("config", "peer", "forwarded", "client"),
    [
        ("", ("203.0.113.9", 1), [b"198.51.100.1"], "203.0.113.9"),
        ("", None, [], None),
        (PROXIES, ("203.0.113.9", 1), [b"198.51.100.1"], "203.0.113.9"),
        (PROXIES, ("10.1.2.3", 1), [], "10.1.2.3"),
        (PROXIES, ("10.1.2.3", 1), [b"198.51.100.1"], "198.51.100.1"),
        (PROXIES, ("10.1.2.3", 1), [b"1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (PROXIES, ("10.1.2.3", 1), [b"198.51.100.1, 10.9.9.9 , 192.0.2.7"], "198.51.100.1"),
        (PROXIES, ("10.1.2.3", 1), [b"1.1.1.1", b"198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        (PROXIES, ("10.1.2.3", 1), [b"10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (PROXIES, ("::1", 1), [b"2001:db8::1"], "2001:db8::1"),
        (PROXIES, ("::1", 1), [b"[2001:db8::1]:4711, 10.0.0.1:80"], "2001:db8::1"),
        (PROXIES, ("::1", 1), [b"1.2.3.4:99"], "1.2.3.4"),
    ],
)
def test_a_clients_address_is_what_a_trusted_proxy_says(made, config, peer, forwarded, client):
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    assert made(CONFIG + config).client_of(peer, headers) == client


@pytest.mark.parametrize(
    "value",
    [b"unknown", b"", b"x" * 10_000, b"\xff\xfe", b"a\x1b[31m", b"<script>", b"::1%\x1b[31m", b"[", b"1.2.3.4, nobody"],
)
def test_what_a_trusted_proxy_says_is_an_address_or_nothing(made, value):
    """It becomes a record's field: nothing else than an address may get there."""
    gateway = made(CONFIG + PROXIES)
    client = gateway.client_of(("10.1.2.3", 1), [(b"x-forwarded-for", value)])
    assert client == "10.1.2.3"


class TestPlugins:
    def test_stages_stand_in_their_order_behind_authentication(self, made, tmp_path):
        (tmp_path / "runtime_stages.py").write_text(
            "MADE = []\n"
            "class One:\n"
            "    def __init__(self, word='one'):\n        MADE.append(word)\n"
            "    async def __call__(self, exchange, proceed):\n        return await proceed(exchange)\n"
        )
        stages = "stages: [{use: 'runtime_stages:One', with: {word: first}}, {use: 'runtime_stages:One'}]\n"
        made(CONFIG + stages)
        import runtime_stages

        assert runtime_stages.MADE == ["first", "one"]

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("raise ValueError('word must be short')", "does not take these settings: word must be short"),
            ("raise KeyError('sk-a-secret')", "fails with KeyError when it is made"),
            ("raise RuntimeError('sk-a-secret')", "fails with RuntimeError when it is made"),
            ("open('/nowhere/at/all')", "fails with FileNotFoundError when it is made"),
        ],
    )
    @pytest.mark.parametrize("kind", ["stage", "policy", "provider"])
    def test_one_that_cannot_be_made_is_a_value_error(self, made, tmp_path, kind, body, told):
        name = f"unmade_{kind}_{abs(hash(body))}"
        (tmp_path / f"{name}.py").write_text(
            "from headgate.providers.provider import Provider\n\n"
            f"class A{'(Provider)' if kind == 'provider' else ''}:\n"
            "    base_url = 'https://host.example'\n"
            f"    def __init__(self, *args, **settings):\n        {body}\n"
            "    def rank(self, exchange, targets):\n        return targets\n"
            "    async def __call__(self, exchange, proceed):\n        return await proceed(exchange)\n"
        )
        config = {
            "stage": CONFIG + f"stages: [{{use: '{name}:A'}}]\n",
            "policy": CONFIG.replace("smart: {", f"smart: {{policy: '{name}:A', "),
            "provider": CONFIG.replace("providers:\n", f"providers:\n  own: {{kind: '{name}:A'}}\n"),
        }[kind]
        with pytest.raises(ValueError, match=told) as caught:
            made(config)
        assert "sk-a-secret" not in str(caught.value)

    def test_one_that_is_not_there_is_named(self, made):
        gateway = made()
        changed = gateway.config.model_copy(deep=True)
        changed.models["chat"].policy.use = "nowhere"
        with pytest.raises(PluginNotFound, match="there is no policy `nowhere`"):
            build(changed, Ports(Nothing(), Nothing(), Nothing()), ADMIN_DIGEST)


LIMITED = """
providers: {openai: {api_key: sk-0123456789}}
models:
  few: {targets: [{model: openai/m, concurrency: 5, requests_per_minute: 9}]}
  fewer: {targets: [{model: openai/m, concurrency: 2}]}
  any: openai/m
rules: [{name: all, models: [ruled], targets: [{model: openai/of-a-rule, concurrency: 3}]}]
"""


def test_a_target_of_several_names_has_the_least_of_their_limits(made):
    gateway = made(LIMITED)
    standings = {target.name: target.standing for target in gateway.named}
    assert {name: standing.gate.limit for name, standing in standings.items()} == {"openai/m": 2, "openai/of-a-rule": 3}
    assert standings["openai/m"].requests is not None


def test_a_limit_that_nothing_says_any_more_is_lifted(made):
    board = Board()
    [target] = made("providers: {openai: {api_key: sk-0123456789}}\nmodels: {m: openai/m}", board).named
    made(LIMITED, board)
    assert target.standing.gate.limit == 2
    made("providers: {openai: {api_key: sk-0123456789}}", board)
    assert (target.standing.gate, target.standing.requests) == (None, None)
