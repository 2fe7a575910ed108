"""What is hidden is known over the requests of a session, on every worker, and to nobody else."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, running
from traffic import whole
from upstreams import LAST_CHUNK, as_chunk, chunked_head, json_reply
from valkeys import valkey
from walks.vendors import Said, responses_body, responses_events

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, workers: 2}}
data_dir: {{DATA}}
state: {{url: 'STATE', prefix: walk}}
providers:
  openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}
  home: {{kind: openai_compatible, base_url: 'URL/home/v1', api_key: none, internal: true}}
models:
  chat: openai/gpt-4o-mini
  open: openai/gpt-4o-mini
  both: {{targets: [home/small], fallbacks: [openai/gpt-4o-mini], cache: {{ttl: 3600}}}}
users: {{joe: }}
keys:
  - {{name: test, key: {KEY}, user: joe}}
  - {{name: other, key: {OTHER_KEY}}}
guards:
  customers: {{use: patterns, with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}, then: tokenise, for: {{model: chat}}}}
  abroad:
    use: patterns
    with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}
    then: tokenise
    external_only: true
    for: {{model: both}}
  lenient:
    use: patterns
    with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}
    then: tokenise
    on_error: open
    for: {{model: open}}
surrogates: {{per: session, store: state, patience: 1}}  # a busy machine is no outage
"""
ANN, BOB, EVE = "C-123456", "C-654321", "C-111111"
SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(first, server, tmp_path_factory):
    config = CONFIG.replace("URL", first.url).replace("STATE", server.url)
    with running(tmp_path_factory.mktemp("gateway"), config, environ={"HEADGATE_SECRET_KEY": SECRET}) as started:
        yield started
        assert "Traceback" not in started.output()
        seen = started.output() + "".join(started.metrics())
        seen += "".join(each.read_text(errors="replace") for each in started.folder.rglob("*.jsonl"))
        assert not [each for each in (ANN, BOB, EVE) if each in seen]


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = echo
    return first


async def echo(asked):
    """Says the question again, in whichever API."""
    body = json.loads(asked.request.body)
    if "messages" in body:
        await asked.send(whole(f"You said: {body['messages'][-1]['content']}"))
        return
    said, id = Said(text=f"You said: {body['input']}"), f"resp_{len(asked.upstream.requests)}"
    if body.get("stream"):
        frames = b"".join(responses_events(said)).replace(responses_body(said)["id"].encode(), id.encode())
        await asked.send(chunked_head() + as_chunk(frames) + LAST_CHUNK)
    else:
        await asked.send(json_reply(responses_body(said, id=id)))


def ask(gateway, text, session="s", model="chat", key=KEY, status=200):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    got, _, answer = gateway.post(body, key=key, headers={"x-headgate-session": session})
    assert got == status, answer
    return answer["choices"][0]["message"]["content"] if status == 200 else answer


def respond(gateway, text, before=None, key=KEY, stream=False):
    """The answer's text and id."""
    body = {"model": "chat", "input": text, "stream": stream}
    if before is not None:
        body["previous_response_id"] = before
    status, _, answer = gateway.post(body, "/v1/responses", key=key)
    assert status == 200, answer
    if stream:
        events = [json.loads(line[6:]) for line in answer.decode().splitlines() if line.startswith("data: {")]
        answer = events[-1]["response"]
        deltas = "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta")
        assert deltas == answer["output"][0]["content"][0]["text"]
    return answer["output"][0]["content"][0]["text"], answer["id"]


def asked(upstream, number=-1):
    body = json.loads(upstream.requests[number].body)
    return body["input"] if "input" in body else body["messages"][-1]["content"]


def test_a_session_has_the_same_surrogates_on_all_workers(gateway, upstream):
    assert ask(gateway, f"{ANN} and {BOB}") == f"You said: {ANN} and {BOB}"
    for _ in range(8):  # each on a connection of its own, to either worker
        assert ask(gateway, f"{BOB}, {ANN}") == f"You said: {BOB}, {ANN}"
        assert asked(upstream) == "<CUSTOMER_2>, <CUSTOMER_1>"
    upstream.script = whole("It is <CUSTOMER_2>.")
    assert ask(gateway, "Who is the second?") == f"It is {BOB}."


def test_requests_at_the_same_time_give_no_surrogate_to_two_values(gateway, upstream):
    texts = [" ".join(f"C-{(number * 7 + each) % 40:06}" for each in range(3)) for number in range(40)]
    with ThreadPoolExecutor(12) as pool:
        for text, said in zip(texts, pool.map(lambda text: ask(gateway, text, "crowded"), texts), strict=True):
            assert said == f"You said: {text}"
    given = {}
    ask(gateway, " ".join(f"C-{number:06}" for number in range(40)), "crowded")
    for number, said in enumerate(asked(upstream).split()):
        given[f"C-{number:06}"] = said
    assert len(set(given.values())) == 40
    told = {asked(upstream, place) for place in range(40)}
    assert told == {" ".join(given[each] for each in text.split()) for text in texts}


def test_what_a_client_says_that_looks_like_one_is_its_own_word(gateway, upstream):
    ask(gateway, ANN, "literal")
    text = f"<CUSTOMER_1> is {ANN}"
    assert ask(gateway, text, "literal") == f"You said: {text}"
    assert asked(upstream) == "<TEXT_1> is <CUSTOMER_1>"


def test_another_key_that_names_the_session_has_its_own(gateway, upstream):
    ask(gateway, ANN, "mine")
    upstream.script = whole("It is <CUSTOMER_1>.")
    assert ask(gateway, "Who?", "mine", key=OTHER_KEY) == "It is <CUSTOMER_1>."
    assert ask(gateway, "Who?", "mine") == f"It is {ANN}."


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_that_the_provider_keeps_goes_on_with_them(gateway, upstream, stream):
    said, first = respond(gateway, f"I am {ANN}", stream=stream)
    assert said == f"You said: I am {ANN}"
    for _ in range(3):
        said, last = respond(gateway, f"{BOB} or {ANN}", first, stream=stream)
        assert said == f"You said: {BOB} or {ANN}"
        assert asked(upstream) == "<CUSTOMER_2> or <CUSTOMER_1>"
    upstream.script = json_reply(responses_body(Said(text="<CUSTOMER_1>, <CUSTOMER_2>"), id="resp_x"))
    assert respond(gateway, "Who?", last)[0] == f"{ANN}, {BOB}"
    assert respond(gateway, "Who?", last, key=OTHER_KEY)[0] == "<CUSTOMER_1>, <CUSTOMER_2>"


def test_answers_to_what_only_others_are_not_told_are_each_sessions_own(gateway, upstream):
    async def abroad(asked):
        if asked.request.path.startswith("/home"):
            await asked.send(json_reply({"error": {"message": "no"}}, status=500))
        else:
            await echo(asked)

    upstream.script = abroad
    ask(gateway, f"{EVE} or {BOB}", "one", "both")
    for session, number in (("one", 2), ("two", 1), ("one", 2)):
        assert ask(gateway, f"{BOB}?", session, "both") == f"You said: {BOB}?"
        assert asked(upstream) == f"<CUSTOMER_{number}>?"


def test_the_state_holds_nothing_that_can_be_read(gateway, upstream, server):
    import socket

    import hiredis

    ask(gateway, f"{ANN} and {BOB}", "a-session-with-a-name")
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        reader = hiredis.Reader()

        def told(*command):
            line.sendall(hiredis.pack_command(command))
            while (reply := reader.gets()) is False:
                reader.feed(line.recv(65536))
            return reply

        names = told("KEYS", "walk:session*")
        seen = b"".join([*names, *filter(None, (told("DUMP", each) for each in names))])
    assert len(names) > 2
    for each in (ANN, BOB, EVE, "CUSTOMER", "customer", "a-session-with-a-name", "joe"):
        assert each.encode() not in seen


def test_what_is_forgotten_comes_back_no_more(gateway, upstream):
    def comes_back(session, key):
        upstream.script = whole("It is <CUSTOMER_1>.")
        return ANN in ask(gateway, "Who?", session, key=key)

    for session, key in (("a", KEY), ("b", OTHER_KEY)):
        upstream.script = echo
        ask(gateway, ANN, session, key=key)
        assert comes_back(session, key)
    done = gateway.told_by("guard", "forget", "--user", "joe", "--url", gateway.url, "--json")
    assert json.loads(done)["forgotten"] > 1
    assert [comes_back("a", KEY), comes_back("b", OTHER_KEY)] == [False, True]
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    status, _, done = gateway.request("POST", "/admin/api/guards/forget", b'{"key": "other"}', headers)
    assert (status, done) == (200, {"forgotten": 1})
    assert not comes_back("b", OTHER_KEY)


def test_what_is_deleted_about_a_person_is_forgotten(gateway, upstream):
    def comes_back(who):
        body = {"model": "chat", "messages": [{"role": "user", "content": "Who?"}], "user": who}
        upstream.script = whole("It is <CUSTOMER_1>.")
        return (
            ANN in gateway.post(body, headers={"x-headgate-session": "person"})[2]["choices"][0]["message"]["content"]
        )

    for who in ("eve", "adam"):
        upstream.script = echo
        body = {"model": "chat", "messages": [{"role": "user", "content": ANN}], "user": who}
        assert gateway.post(body, headers={"x-headgate-session": "person"})[0] == 200
        assert comes_back(who)
    status, _, done = gateway.post({"end_user": "eve"}, "/admin/api/data/delete", key=ADMIN_KEY)
    assert status == 200, done
    assert [comes_back("eve"), comes_back("adam")] == [False, True]


def test_without_the_state_nothing_goes_on_unhidden(gateway, upstream, server):
    ask(gateway, ANN, "hanging")
    upstream.requests.clear()
    server.hang()
    try:
        began = time.monotonic()
        answer = ask(gateway, ANN, "hanging", status=503)
        assert answer["error"]["code"] == "guard_unavailable"
        assert not upstream.requests
        assert ask(gateway, ANN, "hanging", "open") == f"You said: {ANN}"
        assert ANN not in asked(upstream)
        assert time.monotonic() - began < 10
    finally:
        server.go_on()
    until = time.monotonic() + 10
    while back(gateway) != 200:
        assert time.monotonic() < until


def back(gateway):
    body = {"model": "chat", "messages": [{"role": "user", "content": ANN}]}
    return gateway.post(body, headers={"x-headgate-session": "hanging"})[0]
