"""Two gateways on one Valkey agree about what is broken, go on when it is away, and agree again."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import ADMIN_KEY, KEY, Gateway
from upstreams import ScriptedUpstream, Sleep, json_reply
from valkeys import valkey
from walks.vendors import Said, whole

PASSWORD = "a-password-of-good-length"
SPENT = "sk-of-the-spent-key"
FLOODS = {"greedy": "hg-greedy-key-0123456789abcdef", "modest": "hg-modest-key-0123456789abcdef"}
COUNTED = "hg-counted-key-0123456789abcdef"
ONE_LEFT = "hg-one-left-key-0123456789abcdef"
BROKEN = ("broken", "probed", "learnt", "alone", "again")
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}, workers: {workers}}}
data_dir: {{DATA}}
retry: {{attempts: 2, backoff: 0.01}}
breaker: {{failures: 3, rest: {rest}}}
state: {{url: 'redis://:{password}@127.0.0.1:{port}', prefix: tests, patience: 0.3}}  # a busy machine is no outage
providers:
{providers}
  few: {{kind: openai, api_key: sk-of-the-few-one, base_url: '{bad}/few'}}
  good: {{kind: openai, api_key: sk-of-the-good-one, base_url: '{good}/v1'}}
  keyed:
    kind: openai
    base_url: '{bad}/keyed'
    api_keys: [{{name: spent, api_key: {spent}, weight: 1000}}, {{name: fresh, api_key: sk-of-the-fresh-key}}]
models:
{models}
  keyed: keyed/m
  limited: [{{model: limited/m, requests_per_minute: 4}}, good/m]
  few: [few/m, good/m]
limits:
  - {{name: few, for: {{provider: few}}, requests: 5, every: month}}
  - {{name: floods, for: {{team: [greedy, modest]}}, concurrency: 2, then: queue}}
teams: {{greedy: , modest: }}
keys:
  - {{name: test, key: {key}}}
  - {{name: greedy, key: {greedy}, team: greedy}}
  - {{name: modest, key: {modest}, team: modest}}
  - {{name: counted, key: {counted}, limits: [{{requests: 9, every: month}}]}}
  - {{name: one left, key: {one_left}, limits: [{{requests: 1, every: month}}]}}
"""
REST = 1.0


def refused(status):
    return json_reply({"error": {"message": "no", "type": "server_error", "code": None}}, status=status)


@pytest.fixture(scope="module")
def server():
    with valkey("--requirepass", PASSWORD) as started:
        yield started


@pytest.fixture(scope="module")
def bad():
    with ScriptedUpstream(refused(503)) as started:
        yield started


@pytest.fixture(scope="module")
def good():
    with ScriptedUpstream(whole("openai", Said(text="from the good one"))) as started:
        yield started


@pytest.fixture(scope="module")
def made(server, bad, good, tmp_path_factory):
    """Makes a gateway; all are stopped in the end, and have said no secret."""
    gateways = []

    def make(name, workers=1):
        base_url = f"http://127.0.0.1:{bad.port}"
        providers = "\n".join(
            f"  {each}: {{kind: openai, api_key: sk-x-y-z, base_url: '{base_url}/{each}'}}"
            for each in (*BROKEN, "limited")
        )
        models = "\n".join(f"  {each}: [{each}/m, good/m]" for each in BROKEN)
        config = CONFIG.format(
            workers=workers, rest=REST, password=PASSWORD, port=server.port, providers=providers, good=good.url,
            bad=base_url, spent=SPENT, models=models, key=KEY, counted=COUNTED,
            one_left=ONE_LEFT,
            **FLOODS,
        )  # fmt: skip
        gateways.append(Gateway(tmp_path_factory.mktemp(name), config).start(wait=False))
        return gateways[-1]

    yield make
    for gateway in gateways:
        if gateway.process.poll() is None:
            assert gateway.stop() == 0, gateway.output()
        assert PASSWORD not in gateway.output()
        assert "Traceback" not in gateway.output()


@pytest.fixture(scope="module")
def two(made):
    both = made("one"), made("other")
    for gateway in both:
        gateway.wait_until_ready()
    return both


def ask(gateway, model):
    """The text of the answer."""
    status, _, answer = gateway.post({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    assert status == 200, answer
    return answer["choices"][0]["message"]["content"]


def asked(bad, model):
    return sum(request.path.startswith(f"/{model}/") for request in bad.requests)


def used(gateway, target):
    """Requests of this minute at a target, as a gateway knows it."""
    _, _, told = gateway.get("/admin/api/targets", {"authorization": f"Bearer {ADMIN_KEY}"})
    [found] = [each for each in told["targets"] if each["target"] == target]
    return found["limits"]["requests"]["of_this_minute"]


def breaks(gateway, bad, model):
    """It fails for one gateway until that asks it no more."""
    bad.script = refused(503)
    before = asked(bad, model)
    for _ in range(4):
        assert ask(gateway, model) == "from the good one"
    assert asked(bad, model) - before == 3


def test_what_is_broken_for_one_is_not_asked_by_the_other(two, bad):
    one, other = two
    breaks(one, bad, "broken")
    other.wait_for_metric(0, "headgate_circuits", target="broken/m", state="closed")
    assert ask(other, "broken") == "from the good one"
    assert asked(bad, "broken") == 3
    [record] = other.records(1, model="broken")
    assert [attempt["target"] for attempt in record["attempts"]] == ["good/m"]


def test_one_probe_is_sent_and_heals_both(two, bad):
    one, other = two
    breaks(one, bad, "probed")
    other.wait_for_metric(0, "headgate_circuits", target="probed/m", state="closed")
    bad.script = (Sleep(0.3), whole("openai", Said()))
    until = time.monotonic() + 20
    with ThreadPoolExecutor(4) as pool:
        while Said().text not in list(pool.map(ask, (one, other, one, other), ["probed"] * 4)):
            assert asked(bad, "probed") <= 4
            assert time.monotonic() < until
            time.sleep(0.05)
        assert asked(bad, "probed") == 4
        bad.script = whole("openai", Said())
        for gateway in two:
            gateway.wait_for_metric(1, "headgate_circuits", target="probed/m", state="closed")
        assert set(pool.map(ask, (one, other, one, other), ["probed"] * 4)) == {Said().text}


def test_who_starts_later_knows_what_is_broken_and_keys_and_limits_are_those_of_all(two, made, bad):
    breaks(two[0], bad, "learnt")
    bad.script = whole("openai", Said())
    assert [ask(two[0], "limited") for _ in range(3)] == [Said().text] * 3
    several = made("several", workers=2)  # which share nothing but the state either
    several.wait_until_ready()
    for _ in range(5):
        assert ask(several, "learnt") == "from the good one"
    assert asked(bad, "learnt") == 3

    async def answer(call):
        spent = call.request.headers["authorization"] == f"Bearer {SPENT}"
        await call.send(refused(401) if spent else whole("openai", Said()))

    bad.script = answer
    bad.requests.clear()
    assert ask(two[0], "keyed") == Said().text
    assert asked(bad, "keyed") == 2
    for gateway, workers in zip((*two, several), (1, 1, 2), strict=True):
        gateway.wait_for_metric(workers, "headgate_keys", provider="keyed", key="spent", state="invalid")
    until = time.monotonic() + 20
    while used(two[1], "limited/m") != 3:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert [ask(two[1], "limited") for _ in range(2)] == [Said().text, "from the good one"]  # four a minute of all
    for gateway in (*two, several):
        for _ in range(5):
            assert ask(gateway, "keyed") == Said().text
    keys = [request.headers["authorization"] for request in bad.requests]
    assert keys.count(f"Bearer {SPENT}") == 1
    assert several.stop() == 0


def counted(gateway, key=COUNTED):
    body = {"model": "good/m", "messages": [{"role": "user", "content": "Hello"}]}
    status, headers, _ = gateway.post(body, key=key)
    return status, headers["x-ratelimit-remaining-requests"]


def test_limits_are_those_of_all(two):
    assert [gateway.metric("headgate_limits_away") for gateway in two] == [0, 0]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(counted, two * 10))
    assert sorted(found) == [(200, str(left)) for left in range(9)] + [(429, "0")] * 11
    for gateway in two:
        _, _, told = gateway.get("/admin/api/levels", {"authorization": f"Bearer {ADMIN_KEY}"})
        assert (told["source"], told["complete"]) == ("shared", True)
        assert [each["used"] for each in told["items"] if each["limit"] == "key counted"] == [9], gateway.port


def test_limits_by_provider_are_those_of_all_and_the_others_are_asked_when_they_are_used_up(two, bad):
    bad.script = whole("openai", Said())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, two * 6, ["few"] * 12))
    assert sorted(found) == sorted([Said().text] * 5 + ["from the good one"] * 7)
    assert asked(bad, "few") == 5


def test_two_tenants_who_flood_two_gateways_get_equal_shares(two, bad):
    bad.script = (Sleep(0.01), whole("openai", Said()))
    served = []

    def flood(gateway, tenant):
        body = {"model": "keyed/m", "messages": [{"role": "user", "content": "Hello"}]}
        while len(served) < 150:
            status, _, answer = gateway.post(body, key=FLOODS[tenant])
            assert status == 200, answer
            served.append(tenant)

    with ThreadPoolExecutor(16) as pool:
        callers = [pool.submit(flood, two[number % 2], "greedy") for number in range(12)]
        callers += [pool.submit(flood, two[1], "modest") for _ in range(4)]
        for caller in callers:
            caller.result()
    shares = Counter(served[30:150])  # while all of them ask
    assert shares["greedy"] <= 1.5 * shares["modest"] + 3, shares


def test_both_go_on_while_the_state_is_away_and_agree_afterwards(two, server, bad):
    one, other = two
    assert one.metric("headgate_state_away") == 0
    assert counted(one, ONE_LEFT)[0] == 200
    assert counted(other, ONE_LEFT)[0] == 429
    before = len(one.output())
    server.kill()
    one.wait_for_metric(1, "headgate_state_away")
    assert one.get("/readyz")[::2] == (200, b"ready, but the shared state is away: every process goes by its own\n")
    assert other.stop() == 0
    other.start()  # it serves all the same
    breaks(one, bad, "alone")
    bad.script = whole("openai", Said())
    assert ask(other, "alone") == Said().text
    server.start()
    for gateway in two:
        gateway.says("the shared state is back")
    for gateway in two:
        gateway.wait_for_metric(0, "headgate_limits_away")
        until = time.monotonic() + 20  # it may be told only now that its connection for limits is gone
        while gateway.get("/readyz")[::2] != (200, b"ready\n"):
            assert time.monotonic() < until
    assert counted(one, ONE_LEFT)[0] == counted(other, ONE_LEFT)[0] == 429, (
        "the state has lost all, and what was used stays used"
    )
    assert one.output()[before:].count("limits are counted without the other processes") == 1
    breaks(one, bad, "again")
    other.wait_for_metric(0, "headgate_circuits", target="again/m", state="closed")
    assert ask(other, "again") == "from the good one"
    assert asked(bad, "again") == 3
    assert one.output()[before:].count("the shared state is away") == 1


def test_a_state_that_hangs_holds_up_nothing(two, server, bad):
    bad.script = whole("openai", Said())
    server.hang()
    try:
        took, until = [], time.monotonic() + 20
        while not all(gateway.metric("headgate_state_away") for gateway in two):
            for gateway in two:
                began = time.monotonic()
                assert ask(gateway, "keyed") == Said().text
                took.append(time.monotonic() - began)
            assert time.monotonic() < until
        assert max(took) < 2
    finally:
        server.go_on()
    for gateway in two:
        gateway.wait_for_metric(0, "headgate_state_away")
        gateway.wait_for_metric(0, "headgate_limits_away")
