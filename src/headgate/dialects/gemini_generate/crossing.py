"""Requests of other dialects, said in the Gemini API; a part of `gemini_generate`.

How requests of other dialects are said here, beyond the obvious:

- `system` and `developer` messages become `systemInstruction`; the place of a later one is named as lost.
- Turns of one role in a row are merged. Results of tools become `functionResponse` parts of the user's turn, with the
  name of the function, found by the call's id, and `{"output": text}`, or `{"error": text}` of one that failed. Images
  and documents in them go inside for Gemini 3, for older models after the results, which is named.
- Calls of tools that no Gemini made get what Google documents for them as their signature (`SKIPS_CHECK`): Gemini 3
  refuses the history otherwise. Thinking is sent back where Google signed it.
- JSON Schema goes into the fields that read it (`parametersJsonSchema`, `responseJsonSchema`). Keywords that the model
  is not held to in its answer are named; a format's description becomes the schema's own.
- Tools that are strict ask for the mode VALIDATED, in which calls fit their schemas (Gemini 2.5 and newer).
- Images and documents by URL are for Gemini 2.5 and newer, older models cannot fetch:
  https://ai.google.dev/gemini-api/docs/file-input-methods
- An effort is `thinkingLevel` for Gemini 3 and newer, for 2.5 a `thinkingBudget` of the size Google's own OpenAI face
  gives it (https://ai.google.dev/gemini-api/docs/openai#thinking); a model asked to think also shows its thoughts.
- Refused, for leaving it out would change the meaning: custom (free-form) tools and tools another provider runs, other
  vendors' file ids, more than five stop sequences, audio as the answer.
"""

from __future__ import annotations

import mimetypes
from typing import Any

import msgspec

from headgate.core.chat import (
    Audio,
    Bytes,
    ChatRequest,
    Document,
    Image,
    Link,
    Loss,
    Message,
    NativePart,
    Part,
    PlainText,
    Refusal,
    ResponseFormat,
    Source,
    Stored,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
)
from headgate.core.errors import Unsupported
from headgate.dialects.gemini_generate.requests import is_link, sampling, write_choice, write_media, write_tool
from headgate.dialects.gemini_generate.schemas import unheeded
from headgate.dialects.gemini_generate.thinking import thinking
from headgate.dialects.gemini_generate.words import (
    CHECKS,
    DIALECT,
    SKIPS_CHECK,
    Fields,
    arguments_of,
    version_of,
)

NO_FIELD = "the Gemini API has no such field"
NO_MARKS = "not needed: Gemini caches long prompts by itself"
MOST_STOPS = 5
MOST_LOGPROBS = 20
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard", "standard_only": "standard"}
_MEANINGFUL = frozenset({
    "audio", "background", "container", "conversation", "function_call", "functions", "mcp_servers",
    "previous_response_id", "prompt", "web_search_options",
})  # fmt: skip
"""Fields of other dialects without which a request would mean something else."""
_HOLDERS = frozenset({
    "file", "function", "image_url", "input_audio", "json_schema", "metadata", "output_config", "source",
    "stream_options", "thinking", "video_url",
})  # fmt: skip
"""Objects that are carried but for the fields named as native."""
_AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav", "mpeg": "audio/mp3"}
EMPTY: tuple[Any, ...] = (None, [], {})


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.version = version_of(request.model)
        self.contents: list[Fields] = []
        self.system: list[Fields] = []
        self.names: dict[str, str] = {}
        """Id of a call → the tool's name."""

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        self._messages()
        tools, strict = self._tools()
        config = self._sampling()
        config.update(self._format())
        thinking = self._thinking()
        if thinking:
            config["thinkingConfig"] = thinking
        choice = self._choice(tools, strict)
        optional = {
            "systemInstruction": {"parts": self.system} if self.system else None,
            "tools": [{"functionDeclarations": tools}] if tools else None,
            "toolConfig": {"functionCallingConfig": choice} if choice else None,
            "generationConfig": config or None,
            "serviceTier": self._tier(request.service_tier),
        }
        return {"contents": self.contents, **{key: value for key, value in optional.items() if value is not None}}

    def lose(self, path: str, why: str) -> None:
        self.lost.append(Loss(path=path, why=why))

    def _lose_native(self, value: Fields, path: str) -> None:
        """What only the other dialect knows; of an object that is carried, each of the fields that are not."""
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            if key == "cache_control":
                self.lose(where, NO_MARKS)
            elif key in _HOLDERS and isinstance(inner, dict):
                self._lose_native(inner, where)
            elif inner not in EMPTY:
                self.lose(where, NO_FIELD)

    def _refuse(self) -> None:
        request = self.request
        native = dict(request.native)
        for key in native:
            if key in _MEANINGFUL and native[key] not in EMPTY:
                raise Unsupported(
                    f"the Gemini API has no `{key}`; leave it out, or use a model of a provider that has", param=key
                )
        kinds = native.pop("modalities", None)
        if isinstance(kinds, list) and "audio" in kinds:
            raise Unsupported("the answer can be text here; ask for text only", param="modalities")
        self._lose_native(native, "")
        if len(request.stop) > MOST_STOPS:
            raise Unsupported(f"Gemini takes up to {MOST_STOPS} stop sequences, not {len(request.stop)}", param="stop")
        if request.parallel_tool_calls is False and request.tools:
            self.lose("parallel_tool_calls", "Gemini cannot be told to call one tool at a time")
        if request.user is not None:
            self.lose("user", NO_FIELD)
        if request.metadata:
            self.lose("metadata", "the Gemini API keeps no metadata; Vertex AI has labels, of a form of their own")
        if request.cache is not None:
            self.lose("cache_control", NO_MARKS)

    # messages

    def _messages(self) -> None:
        for place, message in enumerate(self.request.messages):
            path = f"messages[{place}]"
            if message.name is not None:
                self.lose(f"{path}.name", "Gemini has no names of participants")
            self._lose_native(message.native, path)
            if message.role in ("system", "developer"):
                self._put_system(message, path)
            elif message.role == "assistant":
                self._put("model", self._answer(message.parts, path))
            else:
                self._put("user", self._question(message.parts, path))
        if not self.contents:
            raise Unsupported("Gemini needs at least one message of the user; send the prompt as one", param="messages")

    def _put(self, role: str, parts: list[Fields]) -> None:
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _put_system(self, message: Message, path: str) -> None:
        parts = self._question(message.parts, path)
        if any("text" not in part for part in parts):
            raise Unsupported("a system prompt takes text only", param=path)
        if parts and self.contents:
            self.lose(f"{path}.role", "moved to the system instruction: its place in the conversation is lost")
        self.system += parts

    def _question(self, parts: list[Part], path: str) -> list[Fields]:
        """A turn of the user's: what tools gave first, then the rest."""
        results: list[Fields] = []
        moved: list[Fields] = []
        rest: list[Fields] = []
        for place, part in enumerate(parts):
            where = f"{path}.content[{place}]"
            if isinstance(part, ToolResult):
                results.append(self._result(part, where, moved))
            else:
                rest += self._piece(part, where)
        return results + moved + rest

    def _answer(self, parts: list[Part], path: str) -> list[Fields]:
        """A turn of the model's, each proof at the part it belongs to: a call, or the end of the text."""
        found: list[Fields] = []
        proof = ""
        for place, part in enumerate(parts):
            where = f"{path}.content[{place}]"
            if isinstance(part, ToolCall):
                found.append(self._call(part, f"{path}.tool_calls", proof))
                proof = ""
                continue
            if proof:
                found.append({"text": "", "thoughtSignature": proof})
                proof = ""
            if isinstance(part, Thinking):
                proof = self._thought(part, where, found)
            else:
                found += self._piece(part, where)
        if proof:
            found.append({"text": "", "thoughtSignature": proof})
        calls = [part for part in found if "functionCall" in part]
        if calls and self.version >= CHECKS:  # one proof stands for all calls of a turn
            calls[0].setdefault("thoughtSignature", SKIPS_CHECK)
        return found

    def _thought(self, part: Thinking, where: str, found: list[Fields]) -> str:
        """The proof of thinking that Google signed; its text goes before what it is the proof of."""
        if part.signer != DIALECT or not part.signature:
            if part.text or part.redacted:
                self.lose(where, "Gemini takes back only its own thinking")
            return ""
        if part.text:
            found.append({"text": part.text, "thought": True})
        return part.signature

    def _call(self, call: ToolCall, where: str, proof: str) -> Fields:
        if call.custom:
            raise Unsupported("Gemini has no free-form tools; use a function", param=where)
        self._lose_native(call.native, where)
        if call.cache is not None:
            self.lose(f"{where}.cache_control", NO_MARKS)
        given = arguments_of(call.arguments)
        if given is None:
            raise Unsupported(
                "the arguments must be the JSON text of an object; mend or leave out the call", param=where
            )
        self.names[call.id] = call.name
        fields: Fields = {"functionCall": {"id": call.id, "name": call.name, "args": given}}
        own = call.signature if call.signer == DIALECT else None
        if own or proof:
            fields["thoughtSignature"] = own or proof
        return fields

    def _result(self, result: ToolResult, where: str, moved: list[Fields]) -> Fields:
        self._lose_native(result.native, where)
        if result.cache is not None:
            self.lose(f"{where}.cache_control", NO_MARKS)
        name = self.names.get(result.id)
        if name is None:
            raise Unsupported(
                f"no call before it has the id {result.id[:80]!r}, so the function it answers has no name", param=where
            )
        texts: list[str] = []
        inside: list[Fields] = []
        for place, part in enumerate(result.parts):
            within = f"{where}.content[{place}]"
            for piece in self._piece(part, within):
                if "text" in piece:
                    texts.append(piece["text"])
                elif self.version >= CHECKS:
                    inside.append(piece)
                else:
                    moved += ({"text": f"From the result of tool call {result.id}:"}, piece)
                    self.lose(within, "moved behind the results of the turn: only Gemini 3 takes it inside")
        response = {"error" if result.error else "output": "".join(texts)}
        fields: Fields = {"id": result.id, "name": name, "response": response}
        if inside:
            fields["parts"] = inside
        return {"functionResponse": fields}

    def _piece(self, part: Part, where: str) -> list[Fields]:
        """A part that is neither a call nor a result; none for text that is empty."""
        if not isinstance(part, NativePart):
            self._lose_native(part.native, where)
        if part.cache is not None:
            self.lose(f"{where}.cache_control", NO_MARKS)
        match part:
            case Text(text=text) | Refusal(text=text):
                if isinstance(part, Text) and part.citations:
                    self.lose(f"{where}.citations", "Gemini does not take citations back")
                return [{"text": text}] if text else []
            case Image(source=source, detail=detail):
                if detail not in (None, "auto"):
                    self.lose(f"{where}.image_url.detail", NO_FIELD)
                return [self._data(source, where, "image/jpeg")]
            case Audio(source=source, format=form):
                return [self._data(source, where, _AUDIO.get(form or "", f"audio/{form or 'wav'}"))]
            case Video(source=source):
                return [self._data(source, where, "video/mp4")]
            case Document():
                return [self._document(part, where)]
            case Thinking():
                self._thought(part, where, [])
                return []
        kind = part.value.get("type") if isinstance(part, NativePart) else type(part).__name__
        raise Unsupported(f"Gemini has no content of type {kind!r}; leave it out", param=where)

    def _document(self, part: Document, where: str) -> Fields:
        if part.context is not None:
            self.lose(f"{where}.context", NO_FIELD)
        if part.citations:
            self.lose(f"{where}.citations", "Gemini does not cite documents")
        if part.title is not None:
            self.lose(f"{where}.title", "the Gemini API names no files")
        if isinstance(part.source, PlainText):
            return {"text": part.source.text}
        return self._data(part.source, where, "application/pdf")

    def _data(self, source: Source, where: str, kind: str) -> Fields:
        """Data or its address; `kind` is the type where nothing tells another."""
        match source:
            case Bytes(base64=data, media_type=media):
                media = (media or "").partition(";")[0].strip() or kind
                return write_media(Bytes(base64=data, media_type=media), {})
            case Link(url=url) if url[:5].lower() == "data:":
                raise Unsupported("a data: URL must say its media type and `;base64,` before its data", param=where)
            case Link(url=url) if self.version < (2, 5):
                raise Unsupported(
                    "this model cannot fetch by URL, Gemini 2.5 and newer can; send the data", param=where
                )
            case Link(url=url):
                guess = mimetypes.guess_type(url.partition("?")[0].partition("#")[0])[0]
                return write_media(source, {"fileData": {"mimeType": guess or kind}})
            case Stored(file_id=url) if "://" in url and not is_link(url):  # Google's own, also from another dialect
                return write_media(source, {})
        raise Unsupported("Gemini cannot open another vendor's file; send its data", param=where)

    # the rest

    def _tools(self) -> tuple[list[Fields], bool]:
        """The declarations, and whether calls must fit their schemas."""
        choice = self.request.tool_choice
        allowed = set(choice.names) if choice is not None and choice.kind == "allowed" else None
        tools = []
        strict = False
        for place, tool in enumerate(self.request.tools):
            path = f"tools[{place}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(
                    f"the tool {tool.name!r} is run or defined by the provider of {self.request.dialect}; leave it "
                    "out, or use a model of that provider",
                    param=path,
                )
            if allowed is not None and choice is not None and choice.mode == "auto" and tool.name not in allowed:
                self.lose(path, "left out: not one of the allowed tools")
                continue
            if tool.cache is not None:
                self.lose(f"{path}.cache_control", NO_MARKS)
            self._lose_native(tool.native, path)
            strict = strict or self._strict(tool, path)
            tools.append(write_tool(msgspec.structs.replace(tool, native={})))
        return tools, strict

    def _strict(self, tool: Tool, path: str) -> bool:
        if tool.strict and self.version < (2, 5):
            self.lose(f"{path}.strict", "this model cannot be held to the schema; Gemini 2.5 and newer can")
        return bool(tool.strict) and self.version >= (2, 5)

    def _choice(self, tools: list[Fields], strict: bool) -> Fields | None:
        choice = self.request.tool_choice
        if choice is not None and choice.custom:
            raise Unsupported("Gemini has no free-form tools", param="tool_choice")
        if not tools:
            if choice is not None and choice.kind in ("required", "tool"):
                raise Unsupported("there are no tools to choose from; send `tools`", param="tool_choice")
            return None
        if choice is None:
            return {"mode": "VALIDATED"} if strict else None
        self._lose_native({key: value for key, value in choice.native.items() if key != "type"}, "tool_choice")
        if choice.kind == "allowed" and choice.mode == "auto":  # the others are not among the tools
            choice = ToolChoice(kind="auto")
        if strict and choice.kind == "auto":
            return {"mode": "VALIDATED"}
        return write_choice(choice)

    def _sampling(self) -> Fields:
        config = sampling(self.request)
        scores = config.get("logprobs")
        if scores is not None and (scores == 0 or not self.request.logprobs):
            del config["logprobs"]
        elif scores is not None and scores > MOST_LOGPROBS:
            self.lose("top_logprobs", f"said as {MOST_LOGPROBS}, the most Gemini gives")
            config["logprobs"] = MOST_LOGPROBS
        if config.get("responseLogprobs") is False:
            del config["responseLogprobs"]
        if config.get("candidateCount") == 1:
            del config["candidateCount"]
        return config

    def _format(self) -> Fields:
        form = self.request.format
        if form is None or form.kind == "text":
            return {}
        self._lose_native(form.native, "response_format")
        if form.kind == "json":
            return {"responseMimeType": "application/json"}
        return {"responseMimeType": "application/json", "responseJsonSchema": self._schema(form)}

    def _schema(self, form: ResponseFormat) -> Fields:
        schema = form.schema or {"type": "object"}
        missed = unheeded(schema)
        if missed:
            self.lose("response_format.json_schema.schema", "Gemini is not held to " + ", ".join(missed))
        if form.name is not None:
            self.lose("response_format.json_schema.name", "the Gemini API names no schemas")
        if form.description is not None:
            self.lose("response_format.json_schema.description", "said as the schema's own, where it has none")
            if "$ref" not in schema:
                return {"description": form.description, **schema}
        return schema

    def _thinking(self) -> Fields | None:
        """`thinkingConfig`; a model asked to think shows its thoughts unless it is told not to."""
        reasoning = self.request.reasoning
        if reasoning is None:
            return None
        self._lose_native(reasoning.native, "reasoning")
        return thinking(reasoning, self.request.model, self.lose, shown=reasoning.display != "omitted")

    def _tier(self, tier: str | None) -> str | None:
        if tier is None or tier == "auto":
            return None
        if tier not in _TIERS:
            self.lose("service_tier", f"Gemini has no tier {tier!r}")
        return _TIERS.get(tier)
