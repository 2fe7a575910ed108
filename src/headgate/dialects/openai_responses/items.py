"""The output items of a response as they are written, piece by piece; a part of the dialect `openai_responses`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from headgate.core.events import ToolCall
from headgate.dialects.openai_responses.words import LOCAL_SHELL, NAME, from_arguments, qualified
from headgate.dialects.signatures import UNSIGNED, wrap

Fields = dict[str, Any]
_decode = msgspec.json.Decoder().decode


class Output(Protocol):
    """The response the items belong to."""

    def tell(self, kind: str, fields: Fields) -> None: ...

    def place(self, item: Fields) -> int: ...

    def name(self, prefix: str, own: str = "") -> str: ...


class Offered(NamedTuple):
    """A tool of the client's that a model of another API was offered as a function: what it is, and its own name."""

    kind: str
    name: str
    namespace: str | None = None


def offered(request: Mapping[str, Any]) -> dict[str, Offered]:
    """Such tools by the name of the function: custom ones, the local shell, and those of namespaces."""
    found: dict[str, Offered] = {}
    for tool in _objects(request.get("tools")):
        kind, name = tool.get("type"), tool.get("name")
        if kind == LOCAL_SHELL:
            found[LOCAL_SHELL] = Offered(LOCAL_SHELL, LOCAL_SHELL)
        elif kind == "custom" and isinstance(name, str):
            found[name] = Offered("custom", name)
        elif kind == "namespace" and isinstance(name, str):
            for inner in _objects(tool.get("tools")):
                own = str(inner.get("name"))
                what = "custom" if inner.get("type") == "custom" else "function"
                found[qualified(name, own)] = Offered(what, own, name)
    return found


def _objects(given: Any) -> list[Fields]:
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def _added(output: Output, item: Fields) -> int:
    """Put the item into the output and announce it, as it is now."""
    place = output.place(item)
    output.tell("response.output_item.added", {"output_index": place, "item": item})
    return place


class Message:
    """A message item; one piece of its content is open at a time, that of `block`."""

    __slots__ = ("_content", "_kind", "_part", "_place", "_scores", "_text", "_where", "_whole", "block", "id", "item")

    def __init__(self, output: Output, own: str, phase: str | None) -> None:
        self.id = output.name("msg", own)
        self._content: list[Fields] = []
        self.item: Fields = {
            "id": self.id,
            "type": "message",
            "status": "in_progress",
            "content": [],
            "role": "assistant",
        }
        if phase is not None:
            self.item["phase"] = phase
        self._place = _added(output, self.item)
        self.block = -1
        self._kind = ""
        self._part: Fields = {}
        self._text: list[str] = []
        self._scores: list[Fields] = []
        self._whole: list[Fields] = []
        self._where: Fields = {}

    def turn_to(self, output: Output, block: int, kind: str) -> None:
        if block == self.block and kind == self._kind:
            return
        self._close_part(output)
        self.block, self._kind = block, kind
        self._text, self._scores, self._whole = [], [], []
        self._where = {"item_id": self.id, "output_index": self._place, "content_index": len(self._content)}
        if kind == "refusal":
            self._part = {"type": "refusal", "refusal": ""}
        else:
            self._part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        output.tell("response.content_part.added", {**self._where, "part": self._part})

    def add(self, output: Output, text: str, scores: list[Fields] | None) -> None:
        if scores:
            scores = [_score(entry) for entry in scores]
            self._scores += scores
        if not (text or scores):
            return
        self._text.append(text)
        if self._kind == "refusal":
            output.tell("response.refusal.delta", {**self._where, "delta": text})
        else:
            output.tell("response.output_text.delta", {**self._where, "delta": text, "logprobs": scores or []})

    def cite(self, output: Output, annotation: Fields, *, whole: bool) -> None:
        """`whole`: the annotation says where it stands. Else it is given when its text is complete."""
        if whole:
            self._annotate(output, annotation)
        else:
            self._whole.append(annotation)

    def _annotate(self, output: Output, annotation: Fields) -> None:
        if self._kind == "refusal":
            return
        notes = self._part["annotations"] = [*self._part["annotations"], annotation]
        output.tell(
            "response.output_text.annotation.added",
            {**self._where, "annotation_index": len(notes) - 1, "annotation": annotation},
        )

    def _close_part(self, output: Output) -> None:
        if self.block < 0:
            return
        text = "".join(self._text)
        for annotation in self._whole:
            self._annotate(output, {**annotation, "start_index": 0, "end_index": len(text)})
        if self._kind == "refusal":
            part: Fields = {"type": "refusal", "refusal": text}
            output.tell("response.refusal.done", {**self._where, "refusal": text})
        else:
            part = {**self._part, "logprobs": self._scores, "text": text}
            output.tell("response.output_text.done", {**self._where, "text": text, "logprobs": self._scores})
        output.tell("response.content_part.done", {**self._where, "part": part})
        self._content.append(part)
        self.block = -1

    def close(self, output: Output, status: str = "completed") -> None:
        self._close_part(output)
        self.item["status"], self.item["content"] = status, self._content
        output.tell("response.output_item.done", {"output_index": self._place, "item": self.item})


def _score(entry: Fields) -> Fields:
    """A token's entry as this API has it: with its bytes, which other hosts may leave out."""
    tops = entry.get("top_logprobs")
    tops = [_bytes(top) for top in tops if isinstance(top, dict)] if isinstance(tops, list) else []
    return {**_bytes(entry), "top_logprobs": tops}


def _bytes(entry: Fields) -> Fields:
    if isinstance(entry.get("bytes"), list):
        return entry
    token = entry.get("token")
    return {**entry, "bytes": list(token.encode("utf-8", "surrogatepass")) if isinstance(token, str) else []}


class Reasoning:
    """A reasoning item. `own`: it came from this API, or holds nothing that could be taken for its own."""

    __slots__ = ("_own", "_place", "_raw", "_text", "_where", "block", "item", "sealed")

    def __init__(self, output: Output, block: int, item: str, *, own: bool) -> None:
        self.block = block
        self._own = own
        self.sealed: str | None = None
        self.item: Fields = {"id": output.name("rs", item), "type": "reasoning", "status": "in_progress", "summary": []}
        self._place = _added(output, self.item)
        self._text: list[str] = []
        self._raw = False
        self._where: Fields = {}

    def add(self, output: Output, text: str, *, raw: bool) -> None:
        if not self._text:
            self._raw = raw
            index = "content_index" if raw else "summary_index"
            self._where = {"item_id": self.item["id"], "output_index": self._place, index: 0}
            part = {"type": "reasoning_text" if raw else "summary_text", "text": ""}
            kind = "response.content_part.added" if raw else "response.reasoning_summary_part.added"
            output.tell(kind, {**self._where, "part": part})
        self._text.append(text)
        kind = "response.reasoning_text.delta" if self._raw else "response.reasoning_summary_text.delta"
        output.tell(kind, {**self._where, "delta": text})

    def prove(self, signer: str, proof: str) -> None:
        """The proof may come in pieces."""
        if self.sealed:
            self.sealed += proof
        else:
            self.sealed = proof if signer == NAME else wrap(signer, proof)

    def close(self, output: Output) -> None:
        if self._text:
            text = "".join(self._text)
            part = {"type": "reasoning_text" if self._raw else "summary_text", "text": text}
            head = "response.reasoning_" if self._raw else "response.reasoning_summary_"
            output.tell(f"{head}text.done", {**self._where, "text": text})
            done = "response.content_part.done" if self._raw else "response.reasoning_summary_part.done"
            output.tell(done, {**self._where, "part": part})
            self.item["content" if self._raw else "summary"] = [part]
        sealed = self.sealed or (None if self._own else UNSIGNED)
        if sealed is not None:
            self.item["encrypted_content"] = sealed
        self.item["status"] = "completed"
        output.tell("response.output_item.done", {"output_index": self._place, "item": self.item})


class Call:
    """A call: of a function, of a custom tool, or of the local shell, which has a form of its own.

    A custom tool's input is held back where the model was offered a function in its place: it stands inside JSON then.
    """

    __slots__ = ("_field", "_given", "_held", "_id", "_kind", "_place", "_text", "_where", "closed", "item")

    def __init__(self, output: Output, event: ToolCall, kind: str, own: str, more: Fields) -> None:
        self.closed = False
        self._kind = kind
        self._held = kind == LOCAL_SHELL or (kind == "custom" and not event.custom)
        self._text: list[str] = []
        self._given = ""
        self._field = "input" if kind == "custom" else "arguments"
        type, prefix = {"custom": ("custom_tool_call", "ctc"), LOCAL_SHELL: ("local_shell_call", "lsh")}.get(
            kind, ("function_call", "fc")
        )
        id = output.name(prefix, own)
        self._id = event.id or f"call_{id}"
        self.item: Fields = {"id": id, "type": type, "status": "in_progress", "call_id": self._id, **more}
        if kind == LOCAL_SHELL:
            self.item["action"] = {"type": "exec", "command": [], "env": {}}
        else:
            self.item |= {"name": event.name, self._field: ""}
        self._place = _added(output, self.item)
        self._where: Fields = {"item_id": id, "output_index": self._place}

    def add(self, output: Output, text: str) -> None:
        if self.closed or not text:
            return
        self._text.append(text)
        if not self._held:
            self._delta(output, text)

    def _delta(self, output: Output, text: str) -> None:
        kind = (
            "response.custom_tool_call_input.delta"
            if self._kind == "custom"
            else "response.function_call_arguments.delta"
        )
        output.tell(kind, {**self._where, "delta": text})

    def complete(self) -> bool:
        """Whether nothing more can follow: the arguments are a whole object."""
        if self._kind == "custom" and not self._held:
            return True
        text = "".join(self._text)
        return text.rstrip()[-1:] == "}" and isinstance(_json(text), dict)

    def close(self, output: Output, status: str = "completed") -> None:
        self.closed = True
        text = "".join(self._text)
        if self._kind == LOCAL_SHELL:
            self.item["action"] = _action(text)
        elif self._kind == "custom":
            if self._held:
                inner = from_arguments(text)
                text = text if inner is None else inner
                self._delta(output, text)
            self.item["input"] = text
            output.tell("response.custom_tool_call_input.done", {**self._where, "input": text})
        else:
            if not text:  # no arguments at all: the text must be JSON nonetheless
                text = "{}"
                self._delta(output, text)
            self.item["arguments"] = text
            done = {**self._where, "name": self.item["name"], "arguments": text}
            output.tell("response.function_call_arguments.done", done)
        self.item["status"] = status
        output.tell("response.output_item.done", {"output_index": self._place, "item": self.item})


def _json(text: str) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _action(text: str) -> Fields:
    """The local shell's action; arguments that are none are run as one command, as the model wrote them."""
    found = _json(text)
    given = found if isinstance(found, dict) else {}
    command = given.get("command", text)
    words = [str(word) for word in command] if isinstance(command, list) else ["sh", "-c", str(command)]
    action: Fields = {"type": "exec", "command": words, "env": {}}
    if isinstance(given.get("working_directory"), str):
        action["working_directory"] = given["working_directory"]
    if isinstance(given.get("timeout_ms"), int):
        action["timeout_ms"] = given["timeout_ms"]
    return action
