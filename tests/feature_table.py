"""The features that the page of features shows and the walks ask for: a request of each, what must be true of what
reaches the provider, what the provider then says, and what must be true of what comes back.

A request is in OpenAI's dialect, or in the one that is usual for the operation.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anybody import CHOICES, FAILURE, SPOKEN, TRANSCRIPT
from headgate.core import chat
from headgate.core import events as ev
from walks.vendors import WEATHER, Said

QUESTION = "Which is the highest mountain of the Alps?"
ANSWER = "Mont Blanc, of course: 4806 m."
THOUGHT = "The Alps stand in eight countries."
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF").decode()
SOUND = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00").decode()
FILM = base64.b64encode(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom").decode()
PLAIN = Said(text=ANSWER)
ADDRESS = "https://images.example/alps.png"
TEXTS = ["Mont Blanc", "Matterhorn", "Zugspitze"]
UNREAD = b"what the gateway does not read"


@dataclass(frozen=True)
class Came:
    """What a client was given."""

    status: int
    body: bytes
    events: list[Any]
    """As the client's dialect reads them; none of what is no answer."""

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self):
        return "".join(event.text for event in self.of(ev.Text) if event.choice == 0)


@dataclass(frozen=True)
class Feature:
    """`reached` is given the request as the provider's own dialect reads it, and `needles` stand in its bytes;
    `came` is given what came back."""

    name: str
    group: str
    body: dict[str, Any] | bytes
    client: str = "openai_chat"
    reached: Callable[[Any], object] = bool
    needles: tuple[str, ...] = ()
    said: Any = PLAIN
    came: Callable[[Came], object] = lambda came: came.text == ANSWER
    streams: str = "both"
    """What the provider is configured to be able to: see `streams` of the configuration."""
    form: tuple[str, bytes] | None = None
    """The name and content of the file in a form that has `body` as its fields."""
    needs: str = ""
    """What is said of it on the page, where the name does not tell."""


def asked(*content, **more):
    """A conversation's body: the question, with what else a user's turn holds, and other fields."""
    said = [{"type": "text", "text": QUESTION}, *content] if content else QUESTION
    return {"messages": [{"role": "user", "content": said}], **more}


def tool(name, **properties):
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": schema}}


CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [tool("get_weather", city={"type": "string"}), tool("get_time", zone={"type": "string"})]
CALLED = Said(text=None, calls=WEATHER[:1], stop="tools")
JSON_SAID = Said(text='{"city": "Bern"}')
RESULTS = {
    "messages": [
        {"role": "user", "content": QUESTION},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_123456",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Bern"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_123456", "content": "17 degrees"},
    ],
    "tools": TOOLS,
}
MARKED = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}]}
    ]
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": CITY}}


# --- what is true of a request that reached a provider


def parts(request, kind):
    return [part for message in request.messages for part in message.parts if isinstance(part, kind)]


def instructed(request):
    return any(
        message.role in ("system", "developer") and "Be brief." in str(message.parts) for message in request.messages
    )


def forced(request):
    """The one tool is named, or it is the only one and some tool is required."""
    choice = request.tool_choice
    if choice is None:
        return False
    alone = [tool.name for tool in request.tools] == ["get_weather"]
    named = choice.name == "get_weather" or choice.names == ["get_weather"]
    return (choice.kind in ("tool", "allowed") and named) or (choice.kind in ("required", "tool") and alone)


def thinks(request):
    reasoning = request.reasoning
    return reasoning is not None and (reasoning.effort == "high" or (reasoning.budget or 0) > 0 or reasoning.mode)


def marked(request):
    return request.cache or any(part.cache for part in parts(request, chat.Part))


def holds(data, *kinds):
    """Whether data stands in a part of these kinds, wherever a dialect puts it."""

    def check(request):
        return any(getattr(part.source, "base64", None) == data for part in parts(request, kinds))

    return check


def asks(request):
    """Whether the question stands there, be it inside another API's body (Bedrock's InvokeModel)."""
    packed = (getattr(request, "body", None) or {}).get("body", "")
    return QUESTION in str(request) or QUESTION.encode() in base64.b64decode(packed)


# --- what is true of what came back


def called(came):
    given = "".join(event.json for event in came.of(ev.ToolInput))
    names = [event.name for event in came.of(ev.ToolCall)]
    return names == ["get_weather"] and json.loads(given) == json.loads(WEATHER[0][2])


def called_twice(came):
    return [event.name for event in came.of(ev.ToolCall)] == ["get_weather", "get_time"]


def counted(came):
    used = came.of(ev.Used)
    return came.text == ANSWER and used and used[-1].usage.prompt >= 40 and used[-1].usage.completion == 20


def failed(came):
    error = json.loads(came.body)["error"]
    return came.status == 429 and FAILURE in error["message"] and error["type"]


def thought(came):
    return "".join(event.text for event in came.of(ev.Thinking)) == THOUGHT and came.text == ANSWER


def probable(came):
    given = [entry["logprob"] for event in came.of(ev.Text) for entry in event.logprobs or []]
    return given == [-0.25, -0.5]


def chosen(came):
    return [event.text for event in came.of(ev.Text)] == list(CHOICES) and len(came.of(ev.Stop)) == 2


def results(came):
    return len(came.of(ev.Result)) == 1


def spread(came):
    """In more than one piece, with an end."""
    return came.text == ANSWER and len(came.of(ev.Text)) > 1 and came.of(ev.Stop)


def conversing(name, body, **more):
    return Feature(name, "Conversation", body, **more)


STREAMED = asked(stream=True)
FEATURES = [
    conversing("text", asked(), needles=(QUESTION,)),
    conversing(
        "system prompt",
        {"messages": [{"role": "system", "content": "Be brief."}, *asked()["messages"]]},
        reached=instructed,
    ),
    conversing("stream", STREAMED, came=spread),
    conversing("stream of a whole reply", STREAMED, came=lambda came: came.text == ANSWER, streams="never"),
    conversing("whole of a stream", asked(), streams="always"),
    conversing("usage in streams", {**STREAMED, "stream_options": {"include_usage": True}}, came=counted),
    conversing("errors", asked(), said="failure", came=failed),
    conversing("stop sequences", asked(stop=["END"]), reached=lambda request: request.stop == ["END"]),
    conversing("seed", asked(seed=11), reached=lambda request: request.seed == 11),
    conversing(
        "logprobs",
        asked(logprobs=True, top_logprobs=1),
        reached=lambda request: request.logprobs,
        said="logprobs",
        came=probable,
    ),
    conversing("n > 1", asked(n=2), reached=lambda request: request.n == 2, said="choices", came=chosen),
    conversing("cache marks", MARKED, reached=marked),
    Feature(
        "tools",
        "Tools and structure",
        asked(tools=TOOLS),
        reached=lambda request: [tool.name for tool in request.tools] == ["get_weather", "get_time"],
        said=CALLED,
        came=called,
    ),
    Feature("calls in a stream", "Tools and structure", asked(tools=TOOLS, stream=True), said=CALLED, came=called),
    Feature(
        "parallel calls",
        "Tools and structure",
        asked(tools=TOOLS),
        said=Said(text=None, calls=WEATHER, stop="tools"),
        came=called_twice,
    ),
    Feature(
        "no parallel calls",
        "Tools and structure",
        asked(tools=TOOLS, parallel_tool_calls=False),
        reached=lambda request: request.parallel_tool_calls is False,
        said=CALLED,
        came=called,
    ),
    Feature(
        "forced tool",
        "Tools and structure",
        asked(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_weather"}}),
        reached=forced,
        said=CALLED,
        came=called,
    ),
    Feature(
        "tool results",
        "Tools and structure",
        RESULTS,
        reached=lambda request: parts(request, chat.ToolResult),
        needles=("17 degrees",),
    ),
    Feature(
        "JSON mode",
        "Tools and structure",
        asked(response_format={"type": "json_object"}),
        reached=lambda request: request.format and request.format.kind in ("json", "schema"),
        said=JSON_SAID,
        came=lambda came: came.text == JSON_SAID.text,
    ),
    Feature(
        "JSON schema",
        "Tools and structure",
        asked(response_format=SCHEMA),
        reached=lambda request: request.format and "city" in request.format.schema["properties"],
        said=JSON_SAID,
        came=lambda came: came.text == JSON_SAID.text,
    ),
    Feature(
        "image by URL",
        "Media and reasoning",
        asked({"type": "image_url", "image_url": {"url": ADDRESS}}),
        reached=lambda request: parts(request, chat.Image),
        needles=(ADDRESS,),
    ),
    Feature(
        "image as data",
        "Media and reasoning",
        asked({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}),
        reached=holds(PICTURE, chat.Image),
        needles=(PICTURE,),
    ),
    Feature(
        "PDF",
        "Media and reasoning",
        asked({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}),
        reached=holds(PDF, chat.Document),
        needles=(PDF,),
    ),
    Feature(
        "audio",
        "Media and reasoning",
        asked({"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}),
        reached=holds(SOUND, chat.Audio),
        needles=(SOUND,),
    ),
    Feature(
        "video",
        "Media and reasoning",
        asked({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{FILM}"}}),
        reached=holds(FILM, chat.Video),
        needles=(FILM,),
        needs="in OpenRouter's and vLLM's word (`video_url`); OpenAI itself has none, and takes none",
    ),
    Feature("reasoning effort", "Media and reasoning", asked(reasoning_effort="high"), reached=thinks),
    Feature(
        "reasoning shown",
        "Media and reasoning",
        asked(reasoning_effort="high"),
        said=Said(text=ANSWER, thinking=THOUGHT),
        came=thought,
    ),
    Feature(
        "embeddings",
        "Other operations",
        {"input": TEXTS[0], "encoding_format": "float"},
        client="openai_embeddings",
        needles=(TEXTS[0],),
        came=results,
    ),
    Feature(
        "rerank",
        "Other operations",
        {"query": QUESTION, "documents": TEXTS},
        client="cohere_rerank",
        needles=(QUESTION, *TEXTS),
        came=results,
    ),
    Feature(
        "moderation",
        "Other operations",
        {"input": QUESTION},
        client="openai_moderations",
        needles=(QUESTION,),
        came=results,
    ),
    Feature(
        "images",
        "Other operations",
        {"prompt": "the Alps"},
        client="openai_images",
        needles=("the Alps",),
        came=results,
    ),
    Feature(
        "speech",
        "Other operations",
        {"input": QUESTION, "voice": "alloy"},
        client="openai_speech",
        needles=(QUESTION,),
        came=lambda came: came.body == SPOKEN,
    ),
    Feature(
        "transcription",
        "Other operations",
        {"language": "en"},
        client="openai_audio",
        form=("a.wav", base64.b64decode(SOUND)),
        needles=("WAVEfmt",),
        came=lambda came: json.loads(came.body)["text"] == TRANSCRIPT,
    ),
    Feature(
        "token counting",
        "Other operations",
        asked(),
        client="anthropic_count_tokens",
        reached=asks,
        came=results,
    ),
    Feature(
        "everything else",
        "Other operations",
        UNREAD,
        client="opaque",
        needles=(UNREAD.decode(),),
        said="opaque",
        came=lambda came: came.body == b"as it came",
        needs="forwarded unread below `/{provider}/`",
    ),
]
