"""What a model is known not to serve is looked for cheaply first, and with certainty before anything is refused."""

import time

import msgspec
import pytest

from headgate.catalog.catalogue import Catalogue
from headgate.catalog.menu import Menu
from headgate.catalog.shelf import Shelf, layer
from headgate.core import chat
from headgate.core.caller import Caller
from headgate.core.errors import Incapable
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.target import Target
from headgate.dialects import anthropic_messages, openai_chat
from headgate.stages.filters.capability import Capability, at_least, beside_text
from together import together

DATA = layer(
    b"""{
"":{"by":{"*":"l"},"firm":"context max_output","host":{"cannot":"choices"}},
"blind":{"ops":"chat","takes":"text","can":"tools","cannot":"image audio document schema","context":100,
         "max_output":50},
"deaf":{"ops":"chat","takes":"text image","can":"schema","cannot":"audio tools"},
"seeing":{"ops":"chat","takes":"text image document","can":"schema tools","context":1000,"max_output":500},
"vectors":{"ops":"embeddings","context":1},
"guessed":{"ops":"embeddings","by":{"derived":"ops"}}
}"""
)
LOOSE = layer(b'{"":{},"m":{"ops":"chat","context":10,"max_output":5}}')
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


class Host:
    """Speaks one dialect, or the client's."""

    def __init__(self, name, speaks=None):
        self.name = name
        self.speaks = speaks

    def dialect_for(self, client, model):
        return self.speaks or client


HOST, OTHER = Host("x"), Host("loose")


def stage(aliases=()):
    return Capability(Menu(Catalogue({"x": Shelf("x", [DATA]), "loose": Shelf("loose", [LOOSE])}), dict(aliases)))


def exchange(*models, dialect=openai_chat, provider=HOST, content="hello", **fields):
    body = {"model": "alias", "messages": [{"role": "user", "content": content}], **fields}

    async def receive():
        return b""

    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", dialect, "/", [], receive, time.perf_counter(), record)
    made.body, made.fields, made.model = msgspec.json.encode(body), body, "alias"
    made.targets = [Target(provider, model) for model in models]
    return made


def left(made, filtering=None):
    return [target.model for target in (filtering or stage())(made, made.targets)]


def test_nothing_is_read_of_a_plain_request():
    made = exchange("blind", "deaf", max_tokens=50, temperature=1)
    assert left(made) == ["blind", "deaf"]
    assert made._request is None
    assert made.decision.out == []


def test_nothing_is_read_for_a_model_that_can_all_of_it():
    made = exchange("seeing", content=[IMAGE], tools=[], response_format={"type": "json_object"}, max_tokens=500)
    assert left(made) == ["seeing"]
    assert made._request is None


def test_incapable_targets_are_left_out_and_the_record_says_why():
    made = exchange("blind", "seeing", "deaf", content=[IMAGE])
    assert left(made) == ["seeing", "deaf"]
    assert [(target.name, by, why) for target, by, why in made.decision.out] == [
        ("x/blind", "capability", "takes no image")
    ]


def test_what_nobody_knows_is_never_left_out():
    made = exchange("unheard-of", "guessed", content=[IMAGE])
    assert left(made) == ["unheard-of", "guessed"]
    assert left(exchange("anything", provider=Host("unknown"), content=[IMAGE], n=5)) == ["anything"]


def test_limits_of_data_that_is_not_sure_refuse_nothing():
    assert left(exchange("m", provider=OTHER, content="word " * 100, max_tokens=100)) == ["m"]


@together(
    ("model", "more", "param", "says"),
    [
        ("blind", {"content": [IMAGE]}, "messages", "there is an image in it, but x/blind takes no image"),
        ("deaf", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "x/deaf calls no tools"),
        ("blind", {"max_completion_tokens": 51}, "max_completion_tokens", "51 tokens are asked for"),
        ("blind", {"content": "a b " * 51}, "messages", "it has 102 tokens at least, but x/blind takes 100"),
        ("blind", {"content": "字" * 500}, "messages", "it has 125 tokens at least"),
        ("blind", {"n": 2}, "n", "2 answers are asked for"),
        ("unheard-of", {"n": 2}, "n", "x/unheard-of gives one answer per request"),
        ("vectors", {}, "model", "this is a request for chat, but x/vectors is for embeddings"),
        (
            "blind",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}},
            "response_format",
            "does not keep to a schema",
        ),
    ],
)
def test_where_none_is_left_the_request_is_refused(model, more, param, says):
    with pytest.raises(Incapable) as refused:
        left(exchange(model, **more))
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "model_cannot", param)
    assert says in refused.value.message


def test_more_tokens_than_a_model_writes_are_cut_down_where_the_request_is_said_anew():
    across, alike = Host("x", anthropic_messages), Host("x", openai_chat)
    made = exchange("blind", "seeing", provider=across, max_completion_tokens=400)
    assert left(made) == ["blind", "seeing"]
    blind, seeing = made.targets
    assert (seeing in made.ceilings, made.ceilings[blind]) == (False, (50, "max_completion_tokens"))
    assert made.decision.out == []
    made = exchange("blind", provider=across, max_tokens=400, content=[IMAGE])
    with pytest.raises(Incapable, match="takes no image"):
        left(made)
    with pytest.raises(Incapable, match="writes 50 at most"):
        left(exchange("blind", provider=alike, max_tokens=51))


def test_words_alone_are_no_picture():
    text = {"type": "text", "text": "an image, audio, a pdf file, a document"}
    assert left(exchange("blind", content=[text])) == ["blind"]
    text = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    made = exchange(
        "blind", dialect=anthropic_messages, content="no picture", system=[text["source"]["data"]], max_tokens=9
    )
    assert left(made) == ["blind"]


def test_a_document_of_plain_text_is_text():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}}
    made = exchange("blind", dialect=anthropic_messages, content=[document], max_tokens=9)
    assert left(made) == ["blind"]


def test_an_edited_request_is_taken_at_its_word():
    made = exchange("blind", "seeing")
    made._request = chat.ChatRequest(
        dialect="openai_chat",
        model="alias",
        messages=[chat.Message(role="user", parts=[chat.Image(source=chat.Link("https://a.example/b.png"))])],
    )
    made.edited = True
    assert left(made) == ["seeing"]


def test_others_are_named_the_callers_own_first_and_only_what_it_may_use():
    aliases = {"eyes": [Target(HOST, "seeing")], "none": [Target(HOST, "blind")]}
    filtering = stage(aliases)
    made = exchange("blind", content=[IMAGE])
    made.caller = Caller("k", frozenset(["none", "eyes"]), ("x/",))
    with pytest.raises(Incapable, match=r"models that can: eyes, x/deaf, x/seeing$"):
        left(made, filtering)
    made = exchange("blind", content=[IMAGE])
    made.caller = Caller("k", frozenset(["none"]))
    with pytest.raises(Incapable, match=r"takes no image$"):
        left(made, filtering)


def test_targets_without_end_do_not_fill_the_memory():
    filtering = stage()
    filtering.remembered = 100
    for number in range(250):
        left(exchange(f"m{number}"), filtering)
    assert 0 < len(filtering._doubts["chat"]) <= 100


def test_the_targets_of_a_name_are_looked_at_together_and_this_is_kept():
    filtering, targets = stage(), tuple(Target(HOST, name) for name in ("seeing", "blind", "unheard-of"))
    for asked, kept in ((30, 3), (300, 2), (600, 1), (30, 3)):
        names = [target.model for target in filtering(exchange(max_tokens=asked), targets)]
        assert names == [["unheard-of"], ["seeing", "unheard-of"], ["seeing", "blind", "unheard-of"]][kept - 1]
    filtering.tuples = 3
    for _ in range(10):
        filtering(exchange(), tuple(targets))
        filtering(exchange(), (*targets, Target(HOST, "deaf")))
    assert 0 < len(filtering._of_any) <= 3


@together(
    ("fields", "word"),
    [
        ({"messages": [{"content": [IMAGE]}]}, "image"),
        ({"messages": [{"content": [{"type": "input_audio", "input_audio": {}}]}]}, "audio"),
        ({"messages": [{"content": [{"type": "tool_result", "content": [{"type": "image"}]}]}]}, "image"),
        ({"messages": [{"role": "user", "images": ["AAAA"]}]}, "image"),
        ({"messages": [{"content": [{"document": {"format": "pdf"}}]}]}, "pdf"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}]}]}, "video"),
        ({"contents": [{"parts": [{"fileData": {"mimeType": "audio/wav", "fileUri": "gs://a"}}]}]}, "audio"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "image"),
    ],
)
def test_what_is_not_text_is_seen_in_every_dialect(fields, word):
    assert word in beside_text(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"messages": "nonsense"},
        {"messages": [3, None, {"content": None}, {"content": "image"}]},
        {"messages": [{"content": [{"type": "text", "text": "image"}, {"type": "tool_use", "input": {"image": 1}}]}]},
        {"contents": [{"parts": [{"text": "image"}]}]},
        {"input": "image"},
    ],
)
def test_text_is_not_looked_into(fields):
    assert "image" not in beside_text(fields)


def test_nesting_without_end_is_left():
    deep = current = {}
    for _ in range(500):
        current["x"] = {}
        current = current["x"]
    assert len(beside_text({"messages": [{"content": [deep]}]})) < 100


def test_the_count_of_tokens_is_a_lower_bound():
    tiktoken = pytest.importorskip("tiktoken")
    try:
        encoding = tiktoken.get_encoding("o200k_base")
    except OSError:
        pytest.skip("the vocabulary is not on this machine")
    for text in ("Hello, world! " * 50, "字典里的每一个字" * 40, "naïve café déjà vu " * 30, " \n\t" * 100, "😀" * 99):
        request = chat.ChatRequest(
            dialect="d", model="m", messages=[chat.Message(role="user", parts=[chat.Text(text=text)])]
        )
        assert at_least(request) <= len(encoding.encode(text))
