"""JSON of roughly the right shape, a fixture with values replaced or taken out, and what must hold for all of it."""

import contextlib
import copy
import json

from hypothesis import strategies as st

from headgate.core.errors import InvalidRequest, ProviderError
from headgate.core.events import Stop
from headgate.dialects import anthropic_messages, openai_chat

DIALECTS = (anthropic_messages, openai_chat)

ODD = [
    None, [], {}, "", 0, -1, 1.5, True, "x", [[]], [{}], [None], ["x"], {"type": []}, {"a": None}, 1e300, 10**30, " ",
    "tool_use", "text",
]  # fmt: skip
OUT = object()
changes = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from([*ODD, OUT])), min_size=1, max_size=3)


def mutated(value, changes):
    """`value` (any JSON), changed at as many places as there are `changes`: (which place, what stands there now)."""
    value = copy.deepcopy(value)
    for which, odd in changes:
        places = list(places_in(value))
        if not places:
            break
        holder, key = places[which % len(places)]
        if odd is OUT:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(odd)
    return value


def places_in(value):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


def check_request(own, fields):
    """It is refused as the client's mistake, or can be written in both dialects; no other error comes of it."""
    with contextlib.suppress(InvalidRequest):
        request = own.read_request(fields)
        for other in DIALECTS:
            with contextlib.suppress(InvalidRequest):
                json.loads(other.write_request(request, []))


def check_reply(own, data, stream):
    """It is the provider's fault, or can be written in both dialects, and passed on; no other error comes of it."""
    with contextlib.suppress(ProviderError):
        relay = own.relay(stream, {})
        relay.feed(data)
        relay.end()
    with contextlib.suppress(ProviderError):
        reader = own.reader(stream)
        events = reader.feed(data) + reader.end()
        ended = isinstance(events[-1], Stop) and events[-1].reason != "cut"
        for other in DIALECTS:
            writer = other.writer(stream, {"stream_options": {"include_usage": True}}, [])
            with contextlib.nullcontext() if ended else contextlib.suppress(ProviderError):
                writer.feed(events)
                writer.end()


def check_stream(own, data, which, changes):
    """`check_reply` of a stream with one event changed."""
    frames = data.replace(b"\r\n", b"\n").split(b"\n\n")
    which %= len(frames)
    head, mark, payload = frames[which].partition(b"data: ")
    if payload.startswith(b"{") and b"\n" not in payload:
        frames[which] = head + mark + json.dumps(mutated(json.loads(payload), changes)).encode()
    check_reply(own, b"\n\n".join(frames), True)
