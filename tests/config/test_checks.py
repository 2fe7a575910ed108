"""What only the whole configuration shows; single broken files are in test_load.py."""

import pytest


def test_the_admin_keys_name_is_taken(told):
    ((path, words),) = told("keys: [{name: admin, key: client-key-of-good-length}]")
    assert path == "keys[0].name"
    assert "is the admin key's" in words


def test_a_key_may_be_given_all_of_a_provider(told):
    text = "providers: {simulator: }\nkeys: [{name: a, key: client-key-of-good-length, models: ['%s']}]"
    assert told(text % "simulator/*") == []
    ((path, words),) = told(text % "simulatr/*")
    assert path == "keys[0].models[0]"
    assert "did you mean `simulator`?" in words


def test_a_dialect_of_ones_own(told, tmp_path):
    assert "is not the path of a module" in told("dialects: [mine]")[0][1]
    assert "there is no module `nowhere_at`" in told("dialects: [nowhere_at.all]")[0][1]
    (tmp_path / "own_dialects").mkdir()
    (tmp_path / "own_dialects" / "half.py").write_text("name = 'half'\npaths = ['/v1/half']\n")
    ((path, words),) = told("dialects: [own_dialects.half]")
    assert path == "dialects[0]"
    assert "`own_dialects.half` is not a dialect; it has no content_type, foreign" in words
    assert told("dialects: [headgate.dialects.openai_chat]") == []
    assert told("dialects: [3]") == [("dialects[0]", "expected text, found the number 3; ")]


def test_a_ca_file_is_there(told, tmp_path):
    ((path, words),) = told("upstream: {ca_file: none.pem}")
    assert path == "upstream.ca_file"
    assert "cannot be read: No such file" in words
    (tmp_path / "ca.pem").write_text("")
    assert told("upstream: {ca_file: ca.pem}") == []


def test_the_servers_port_is_not_the_admin_listeners(told):
    assert told("server: {port: 4001, admin: {}}")[0][0] == "server.admin.port"
    assert told("server: {port: 0, admin: {port: 0}}") == []
    assert told("server: {port: 4001, host: '::1', admin: {}}") == []


@pytest.mark.parametrize("name", ["v1", "v1beta", "v2", "api", "model", "livez", "metrics", "console"])
def test_a_provider_does_not_stand_in_the_gateways_way(name, told):
    ((path, words),) = told(f"providers: {{{name}: {{kind: simulator}}}}")
    assert path == f"providers.{name}"
    assert f"`/{name}/…` is a path of the gateway's own" in words
    assert told(f"providers: {{my{name}: {{kind: simulator}}}}") == []


WITH = "models: {m: {targets: [{model: openai/x, with: {%s}}]}}"
MODELS = "catalogue: {models: {openai/x: {%s}}}"


@pytest.mark.parametrize(
    ("said", "path", "words"),
    [
        ("speaks: [nowhere_at.all]", "speaks[0]", "there is no module `nowhere_at`"),
        ("speaks: [openai_chat, os.path]", "speaks[1]", "`os.path` is not a dialect; it has no content_type, foreign"),
        ("catalogue: opnai", "catalogue", "the catalogue has no provider `opnai`; did you mean `openai`?"),
        ("set: {a: [{b: .nan}]}", "set.a[0].b", "JSON has no such number; write a finite one"),
        ("defaults: {a: .inf}", "defaults.a", "JSON has no such number"),
        (r'organization: "a\r\nb: c"', "organization", "not of the right form"),
        ("project: é", "project", "not of the right form"),
        ("timeouts: {total: .inf}", "timeouts.total", "expected a finite number"),
        ("timeouts: {connect: 1e9}", "timeouts.connect", "must be at most 604800"),
    ],
)
def test_a_provider_that_could_not_be_made_or_asked(told, said, path, words):
    """Also as a target has it otherwise."""
    [(place, found)] = told(f"providers: {{openai: {{api_key: sk-0123456789, {said}}}}}")
    assert (place, words in found) == (f"providers.openai.{path}", True), found
    plain = "providers: {openai: {api_key: sk-0123456789}}\n"
    [(place, found)] = told(plain + WITH % said)
    assert (place, words in found) == (f"models.m.targets[0].with.{path}", True), found


def test_a_target_sets_what_json_can_say(told):
    plain = "providers: {openai: {api_key: sk-0123456789}}\nmodels: {m: {targets: [{model: openai/x, set: {a: %s}}]}}"
    [(place, words)] = told(plain % ".nan")
    assert place == "models.m.targets[0].set.a"
    assert "JSON has no such number" in words
    assert told(plain % "[1, 2.5, null, x, {b: true}]") == []


def test_a_provider_of_a_catalogue_of_ones_own(told):
    text = "providers: {work: {kind: simulator, catalogue: ours}}\n"
    assert told(text)[0][0] == "providers.work.catalogue"
    assert told(text + "catalogue: {models: {ours/x: {context: 5}}}") == []
    assert told(text + "catalogue: {refresh: {url: 'https://host.example/catalogue.json'}}") == []


@pytest.mark.parametrize("host", ["http://example.com", "example.com:443", "example.com/x", "", "[::1]", "a b"])
def test_hosts_to_fetch_from_are_no_urls(told, host):
    [(path, words)] = told(f"fetch: {{hosts: [good.example, '{host}']}}")
    assert path == "fetch.hosts[1]"
    assert "not a host: write `example.com` or `*.example.com`" in words


@pytest.mark.parametrize("host", ["example.com", "*.example.com", "10.0.0.1", "::1", "2001:db8::*", "*", "host_1"])
def test_hosts_to_fetch_from(told, host):
    assert told(f"fetch: {{hosts: ['{host}']}}") == []


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("operations: [chta]", "expected 'chat', 'embeddings'"),
        ("retires: soon", "expected a date (2027-01-31), found the text"),
        ("retires: 5", "expected a date (2027-01-31), found the number 5"),
    ],
)
def test_what_is_known_of_a_model_is_said_in_words_that_count(told, fact, words):
    [(path, found)] = told(f"providers: {{openai: {{api_key: sk-0123456789}}}}\n{MODELS % fact}")
    assert path.startswith("catalogue.models.openai/x.")
    assert words in found


POLICY = "providers: {openai: {api_key: none}}\nmodels: {m: {policy: %s, targets: [%s]}}"
ONE, NEVER = "openai/x", "{model: openai/y, weight: 0}"


@pytest.mark.parametrize(
    ("policy", "targets", "path", "words"),
    [
        ("wieghted", ONE, "models.m.policy", "there is no policy `wieghted`; did you mean `weighted`?"),
        ("{use: weighted, with: {wieght: 3}}", ONE, "models.m.policy.with.wieght", "unknown key `wieght`"),
        ("{use: round_robin, with: {a: 3}}", ONE, "models.m.policy.with", "does not take these settings"),
        ("{use: 'own_policy:Own', with: {by: 3}}", ONE, "models.m.policy.with", "it takes (much=1)"),
        ("weighted", NEVER, "models.m.policy", "the policy weighted makes no sense here: every target has the weight"),
        ("{use: sticky, with: {by: [key, usr]}}", ONE, "models.m.policy.with.by[1]", "write `session`, `user`"),
        ("{use: cheapest, with: {max_latency: soon}}", ONE, "models.m.policy.with.max_latency", "expected a number, f"),
        ("{use: cheapest, with: {min_quality: 3}}", ONE, "models.m.policy", "and no target has a `quality` of that"),
        ("least_busy", NEVER, "models.m.policy", "makes no sense here: every target has the weight 0"),
    ],
)
def test_a_policy_and_its_settings(told, tmp_path, policy, targets, path, words):
    own = "class Own:\n    def __init__(self, much=1): pass\n    def rank(self, exchange, targets): return targets\n"
    (tmp_path / "own_policy.py").write_text(own)
    ((place, said),) = told(POLICY % (policy, targets))
    assert place == path
    assert words in said


def test_a_policy_in_order(told):
    assert told(POLICY % ("weighted", f"{ONE}, {NEVER}")) == []


CANARY = "providers: {openai: {api_key: none}}\nmodels: {m: {targets: openai/x, canary: {%s}}}"


@pytest.mark.parametrize(
    ("canary", "path", "words"),
    [
        ("target: opnai/y", "models.m.canary.target", "there is no provider `opnai` in `providers`"),
        (
            "target: {model: openai/y, with: {base_url: x}}",
            "models.m.canary.target.with.base_url",
            "must begin with http",
        ),
        ("steps: [1]", "models.m.canary.target", "`target` is missing"),
        ("target: openai/y, steps: [5, 5]", "models.m.canary.steps", "the steps must rise"),
        ("target: openai/y, steps: [500]", "models.m.canary.steps[0]", "must be at most 100"),
        ("target: openai/y, by: [anybody]", "models.m.canary.by[0]", "write `session`, `user`"),
    ],
)
def test_a_canary(told, canary, path, words):
    ((place, said),) = told(CANARY % canary)
    assert place == path
    assert words in said
    assert told(CANARY % "target: {model: openai/y, system: Be brief.}") == []


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("models: {m: {targets: openai/x, hedge: p95}}", "models.m.hedge", "there is no second target"),
        ("models: {m: {targets: openai/x, resume: true}}", "models.m.resume", "there is no other target to go on"),
        (
            "models: {m: {targets: [openai/x, openai/y], canary: {target: openai/y}}}",
            "models.m.canary",
            "gets requests already",
        ),
        (
            "models: {m: {targets: openai/x, first_token: 30, deadline: 10}}",
            "models.m.deadline",
            "shorter than `first_token`, which is 30 s",
        ),
        ("models: {m: {targets: openai/x, whole_answer: 30, deadline: 10}}", "models.m.deadline", "`whole_answer`"),
        ("breaker: {rest: 300}", "breaker.most_rest", "120 is less than `rest`, which is 300"),
        ("retry: {backoff: 3, max_backoff: 2}", "retry.max_backoff", "2 is less than `backoff`, which is 3"),
    ],
)
def test_settings_that_contradict_each_other(told, text, path, words):
    ((place, said),) = told("providers: {openai: {api_key: none}}\n" + text)
    assert place == path
    assert words in said


def test_settings_that_go_together(told):
    text = "models: {m: {targets: openai/x, fallbacks: openai/y, hedge: 1, first_token: 10, deadline: 10}}"
    assert told("providers: {openai: {api_key: none}}\n" + text) == []


def test_a_shadow(told):
    text = "providers: {openai: {api_key: none}}\nmodels: {m: {targets: openai/x, shadow: {%s}}}"
    assert told(text % "target: openai/y, share: 0.1") == []
    ((path, words),) = told(text % "target: opnai/y")
    assert path == "models.m.shadow.target"
    assert "there is no provider `opnai`" in words
    ((path, words),) = told(text % "target: openai/y, share: 10")
    assert (path, "must be at most 1" in words) == ("models.m.shadow.share", True)
