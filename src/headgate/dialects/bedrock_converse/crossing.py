"""Requests of other dialects, said in the Converse API; a part of the dialect `bedrock_converse`.

How requests of other dialects are said here, beyond the obvious:

- Every system prompt becomes `system`; that one stood later in the conversation is named as lost. Turns of one role in
  a row are merged, tool results become blocks of a user turn. Text that is only white space is left out: refused here.
- Images, documents, videos and sounds are sent as data or as S3 locations; Bedrock fetches nothing else. Documents need
  a name of their own, in letters it takes: what cannot be kept of a title is named as lost.
- Thinking of the history goes to Claude alone, with the proof that Claude gave (also through Anthropic's own API).
- Cache marks become cache points for Claude and Nova. Reasoning and `top_k` are said in each family's own words
  (`families`), Claude's thinking and sampling by `dialects/claude.py`.
- Nova 2 knows the efforts low, medium and high; with high it takes no temperature, top_p and max_tokens, so high beside
  `max_tokens` is said as medium.
- `none` as a choice of tools: the tools are left out, or, where the history needs them, it is refused.
- A JSON schema becomes `outputConfig.textFormat`; `json_object` has no equivalent and is named as lost.
- Where Claude gets stop sequences, the one it met is asked for by `additionalModelResponseFieldPaths`.
- Refused, for leaving it out would change the meaning: n > 1, logprobs, other vendors' file ids and URLs, custom
  (free-form) tools and foreign built-in tools, tool arguments in the history that are not a JSON object, and tool calls
  in the history without `tools`.
"""

from __future__ import annotations

import re
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
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from headgate.core.errors import Unsupported
from headgate.dialects.bedrock_converse.families import family_of, write_effort, write_top_k
from headgate.dialects.bedrock_converse.requests import (
    Fields,
    fill,
    form_of,
    merged,
    write_choice,
    write_content,
    write_format,
    write_tools,
)
from headgate.dialects.bedrock_converse.words import AUDIOS, DIALECT, arguments_of, safe_id
from headgate.dialects.claude import Claude
from headgate.dialects.narrow_schemas import narrowed, narrowed_tool

NO_FIELD = "the Converse API has no such field"
_EMPTY: tuple[Any, ...] = (None, [], {}, "", False)
_MEANINGFUL = {
    "audio": "Bedrock's models answer in text here; ask for text only",
    "functions": "`functions` cannot stand beside `tools`; send all of them as `tools`",
    "function_call": "`function_call` cannot stand beside `tools`; send it as `tool_choice`",
    "web_search_options": "there is no web search here; leave `web_search_options` out",
    "mcp_servers": "Bedrock calls no MCP servers; leave `mcp_servers` out",
    "container": "Bedrock runs no containers; leave `container` out",
}
"""Fields of other dialects whose loss would change what is asked, and what to do about each."""
_CACHING = frozenset({"claude", "nova"})
_STATUS = frozenset({"claude", "nova"})
"""Families that are told whether a tool failed: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultBlock.html"""
_PROVEN_BY = ("", DIALECT, "anthropic_messages")
"""Whose proofs Claude takes here: they are the same wherever it is asked.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking#thinking-encryption
"""
LOW, MEDIUM = 4096, 16_384
"""Thinking budgets (tokens) up to which the effort is low and medium."""
_TIERS = {"standard_only": "default", "default": "default", "priority": "priority", "flex": "flex"}
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_MOST_METADATA = 16
_NAMELESS = re.compile(r"[^A-Za-z0-9\s()\[\]-]")
_SPACES = re.compile(r"\s+")
_SOUNDS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-m4a": "m4a", "x-flac": "flac"}
_EFFORTS = {
    "nova": {"minimal": "low", "xhigh": "high", "max": "high"},
    "gpt-oss": {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
    "openai": {},
    "moonshot": {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
}
"""What an effort is said as, where a family does not know it; families that are not here know none."""


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.family = family_of(request.model)
        self.claude = Claude(request, lost)
        self.system: list[Part] = []
        self.turns: list[tuple[str, list[Part]]] = []
        self.titles: set[str] = set()
        self.called = False

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        self._messages()
        fields: Fields = {"messages": [{"role": role, "content": write_content(parts)} for role, parts in self.turns]}
        if self.system:
            fields["system"] = write_content(self.system)
        fill(fields, "toolConfig", self._tools())
        config, additional = self._model_fields()
        stop = [sequence for sequence in request.stop if sequence]
        fill(fields, "inferenceConfig", {**config, "stopSequences": stop or None})
        fill(fields, "additionalModelRequestFields", additional)
        if stop and self.family == "claude":
            path = "/delta/stop_sequence" if request.stream else "/stop_sequence"
            fields["additionalModelResponseFieldPaths"] = [path]
        fill(fields, "outputConfig", {"textFormat": self._format()})
        fill(fields, "requestMetadata", self._metadata())
        tier = self._service_tier()
        if tier is not None:
            fields["serviceTier"] = {"type": tier}
        return fields

    def imposed(self) -> tuple[Fields, Fields]:
        """`inferenceConfig` and `additionalModelRequestFields` for a request of this dialect."""
        self.turns = [(turn.role, turn.parts) for turn in self.request.messages if turn.role != "system"]
        return self._model_fields()

    def lose(self, path: str, why: str) -> None:
        self.lost.append(Loss(path=path, why=why))

    def lose_native(self, path: str, value: Any) -> None:
        if value not in _EMPTY:
            self.lose(path, NO_FIELD)

    def _refuse(self) -> None:
        request = self.request
        if request.n is not None and request.n > 1:
            raise Unsupported("Bedrock gives one answer per request; send n requests instead", param="n")
        if request.logprobs:
            raise Unsupported("the Converse API gives no log probabilities; leave `logprobs` out", param="logprobs")
        for key, value in request.native.items():
            if key in _MEANINGFUL and value not in _EMPTY:
                raise Unsupported(_MEANINGFUL[key], param=key)
            if key == "modalities" and isinstance(value, list):
                if "audio" in value:
                    raise Unsupported("Bedrock's models answer in text here; ask for text only", param=key)
            else:
                self.lose_native(key, value)
        for key in ("seed", "frequency_penalty", "presence_penalty", "top_logprobs"):
            if getattr(request, key):
                self.lose(key, NO_FIELD)
        if request.user is not None:
            self.lose("user", NO_FIELD)
        if request.cache is not None:
            self.lose("cache_control", "cache points stand in the content here")
        if request.parallel_tool_calls is False and request.tools:
            self.lose("parallel_tool_calls", "the Converse API cannot ask for one call at a time")

    # messages

    def _messages(self) -> None:
        for i, message in enumerate(self.request.messages):
            path = f"messages[{i}]"
            if message.name is not None:
                self.lose(f"{path}.name", "the Converse API has no names of participants")
            for key, value in message.native.items():
                if key == "audio" and value is not None:
                    raise Unsupported("what was spoken earlier cannot be sent; send its text", param=f"{path}.audio")
                self.lose_native(f"{path}.{key}", value)
            parts = self._parts(message.parts, path, message.role)
            if message.role in ("system", "developer"):
                self._put_system(i, message, parts)
            elif parts:
                self._put_turn("assistant" if message.role == "assistant" else "user", parts)
        if not self.turns:
            raise Unsupported(
                "the Converse API needs at least one user message; send the prompt as one", param="messages"
            )
        role, parts = self.turns[-1]
        last = parts[-1]
        if role == "assistant" and isinstance(last, Text):  # an answer to go on from may not end in white space
            parts[-1] = msgspec.structs.replace(last, text=last.text.rstrip())

    def _put_turn(self, role: str, parts: list[Part]) -> None:
        if self.turns and self.turns[-1][0] == role:
            self.turns[-1][1].extend(parts)
        else:
            self.turns.append((role, parts))

    def _put_system(self, i: int, message: Message, parts: list[Part]) -> None:
        if self.turns and parts:
            self.lose(f"messages[{i}].role", "moved to the system prompt: its place in the conversation is lost")
        self.system += parts

    def _parts(self, parts: list[Part], path: str, role: str) -> list[Part]:
        said = []
        calls = contents = 0
        for part in parts:
            if isinstance(part, ToolCall):
                place, calls = f"{path}.tool_calls[{calls}]", calls + 1
            elif isinstance(part, ToolResult):
                place = path
            elif isinstance(part, Thinking):
                place = f"{path}.reasoning_content"
            else:
                place, contents = f"{path}.content[{contents}]", contents + 1
            if role in ("system", "developer") and not isinstance(part, Text):
                raise Unsupported("a system prompt takes text only", param=place)
            adapted = self._adapted(part, place)
            if adapted is not None:
                said.append(self._marked(adapted, part, place))
        return said

    def _marked(self, adapted: Part, part: Part, place: str) -> Part:
        """The part with its cache mark, where the model has a cache."""
        mark = part.cache
        if mark is not None and self.family not in _CACHING:
            self.lose(f"{place}.cache_control", "the model takes no cache points")
            mark = None
        elif mark is not None and mark.ttl is not None and self.family == "nova":
            self.lose(f"{place}.cache_control.ttl", "the model keeps its cache for five minutes")
            mark = msgspec.structs.replace(mark, ttl=None)
        return msgspec.structs.replace(adapted, cache=mark)

    def _adapted(self, part: Part, place: str) -> Part | None:
        """The part without what only its own vendor can read; None where nothing of it is said."""
        for key, value in part.native.items():
            self.lose_native(f"{place}.{key}", value)
        match part:
            case Text(text=text, citations=citations):
                if citations:
                    self.lose(f"{place}.annotations", "citations of another vendor")
                return Text(text=text) if text.strip() else None
            case Refusal(text=text):
                self.lose(f"{place}.refusal", "written as text: the Converse API has no refusal content")
                return Text(text=text) if text.strip() else None
            case Thinking():
                return self._thinking(part, place)
            case ToolCall():
                return self._call(part, place)
            case ToolResult():
                return self._result(part, place)
            case NativePart(dialect=dialect, value=value):
                kind = value.get("type", "this content")
                raise Unsupported(f"{kind} is known to {dialect} only; leave it out", param=place)
        return self._medium(part, place)

    def _thinking(self, part: Thinking, place: str) -> Thinking | None:
        if self.family != "claude":
            self.lose(place, "only Claude takes its thinking back here")
        elif not (part.signature or part.redacted):
            self.lose(place, "thinking without a signature")
        elif part.signer not in _PROVEN_BY:
            self.lose(place, "thinking that another vendor signed")
        else:
            return Thinking(text=part.text, signature=part.signature, redacted=part.redacted, signer=DIALECT)
        return None

    def _call(self, call: ToolCall, place: str) -> ToolCall:
        if call.custom:
            raise Unsupported("the Converse API has no free-form tools; use a function", param=place)
        if arguments_of(call.arguments) is None:
            raise Unsupported(
                "the arguments must be the JSON text of an object; mend or leave out the call",
                param=f"{place}.function.arguments",
            )
        self.called = True
        return ToolCall(id=safe_id(call.id), name=call.name, arguments=call.arguments)

    def _result(self, result: ToolResult, place: str) -> ToolResult:
        parts = []
        for j, piece in enumerate(result.parts):
            adapted = self._adapted(piece, f"{place}.content[{j}]")
            if adapted is not None:
                parts.append(adapted)
            if piece.cache is not None:
                self.lose(f"{place}.content[{j}].cache_control", "cache points stand between blocks, not in them")
        error = result.error
        if error and self.family not in _STATUS:
            self.lose(f"{place}.is_error", "the model is not told whether a tool failed")
            error = False
        self.called = True
        return ToolResult(id=safe_id(result.id), parts=parts, error=error)

    # images, documents, videos, sounds

    def _medium(self, part: Part, place: str) -> Part:
        match part:
            case Image(source=source, detail=detail):
                if detail not in (None, "auto"):
                    self.lose(f"{place}.image_url.detail", "the Converse API has no detail of images")
                found, native = self._source("image", source, place)
                return Image(source=found, native=native)
            case Video(source=source):
                found, native = self._source("video", source, place)
                return Video(source=found, native=native)
            case Audio(source=source, format=form):
                return self._audio(source, form, place)
            case Document():
                return self._document(part, place)
        raise Unsupported(f"the Converse API has no {type(part).__name__.lower()} content; leave it out", param=place)

    def _audio(self, source: Source, form: str | None, place: str) -> Audio:
        if form is None and isinstance(source, Bytes):
            name = (source.media_type or "").partition(";")[0].partition("/")[2].lower()
            form = _SOUNDS.get(name, name)
        if form not in AUDIOS:
            raise Unsupported(f"sound may be {', '.join(sorted(AUDIOS))}, not {form or 'unnamed'}", param=place)
        if isinstance(source, Bytes):
            source = Bytes(base64=source.base64)
        found, _ = self._source("audio", source, place)
        return Audio(source=found, format=form)

    def _document(self, part: Document, place: str) -> Document:
        source, native = part.source, {}
        if isinstance(source, PlainText):
            native = {"format": "txt"}
        else:
            source, native = self._source("document", source, place)
        title = self._title(part.title, place)
        return Document(source=source, title=title, context=part.context, citations=part.citations, native=native)

    def _title(self, title: str | None, place: str) -> str:
        """A name the API takes and that no other document has."""
        name = _SPACES.sub(" ", _NAMELESS.sub(" ", title or "document")).strip()[:180] or "document"
        if title is not None and name != title:
            self.lose(f"{place}.title", f"said as {name!r}: letters, digits, spaces, hyphens and brackets only")
        unique, number = name, 2
        while unique in self.titles:
            unique, number = f"{name} ({number})", number + 1
        self.titles.add(unique)
        return unique

    def _source(self, kind: str, source: Source, place: str) -> tuple[Source, Fields]:
        """Data, or a place in S3, and the format that goes with it."""
        uri = source.url if isinstance(source, Link) else source.file_id if isinstance(source, Stored) else ""
        if uri.startswith("s3://"):
            ending = uri.rpartition(".")[2].lower()
            return Stored(file_id=uri), {"format": {"jpg": "jpeg", "3gp": "three_gp"}.get(ending, ending)}
        if isinstance(source, Link):
            raise Unsupported(f"Bedrock fetches no URLs; send the {kind}'s data, or an s3:// address", param=place)
        if not isinstance(source, Bytes):
            raise Unsupported("Bedrock cannot open another vendor's file; send its data", param=place)
        if kind == "audio":
            return source, {}
        media_type = (source.media_type or "").partition(";")[0].strip().lower()
        media_type = {"image/jpg": "image/jpeg", "": "application/pdf" if kind == "document" else ""}.get(
            media_type, media_type
        )
        if form_of(kind, media_type) is None:
            raise Unsupported(f"Bedrock takes no {kind} of the type {media_type or 'unknown'}", param=place)
        return Bytes(base64=source.base64, media_type=media_type), {}

    # the rest

    def _tools(self) -> Fields:
        request, choice = self.request, self.request.tool_choice
        if choice is not None and choice.custom:
            raise Unsupported("the Converse API has no free-form tools", param="tool_choice")
        if not request.tools:
            if self.called:
                raise Unsupported("the conversation holds tool calls; send the tools they called", param="tools")
            if choice is not None and choice.kind in ("required", "tool"):
                raise Unsupported("there are no tools to choose from; send `tools`", param="tool_choice")
            return {}
        if choice is not None and choice.kind == "none":
            if self.called:
                raise Unsupported(
                    "Converse cannot forbid tools in a conversation that called some; leave `tool_choice` out",
                    param="tool_choice",
                )
            return {}
        for key in choice.native if choice is not None else ():
            if key != "type":  # another word for the same choice
                self.lose(f"tool_choice.{key}", NO_FIELD)
        if choice is not None:
            choice = msgspec.structs.replace(choice, native={})
        tools = write_tools(self._specs())
        if tools:
            return {"tools": tools, "toolChoice": write_choice(choice)}
        if self.called or (choice is not None and choice.mode == "required"):
            raise Unsupported("none of the allowed tools is there; send them in `tools`", param="tool_choice")
        return {}

    def _specs(self) -> list[Any]:
        choice = self.request.tool_choice
        allowed = set(choice.names) if choice is not None and choice.kind == "allowed" else None
        tools = []
        for i, tool in enumerate(self.request.tools):
            path = f"tools[{i}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(f"{tool.name} is not a function; Bedrock cannot call it", param=path)
            if allowed is not None and tool.name not in allowed:
                self.lose(path, "left out: not one of the allowed tools")
                continue
            for key, value in tool.native.items():
                self.lose_native(f"{path}.{key}", value)
            mark = tool.cache
            if mark is not None and self.family != "claude":
                self.lose(f"{path}.cache_control", "the model takes no cache points among tools")
                mark = None
            schema = tool.schema
            if schema is not None and "type" not in schema:
                schema = {"type": "object", **schema}
            description = tool.description or None
            said = msgspec.structs.replace(tool, schema=schema, description=description, cache=mark, native={})
            tools.append(narrowed_tool(said, path, self.lose))
        return tools

    def _model_fields(self) -> tuple[Fields, Fields]:
        """`inferenceConfig` and `additionalModelRequestFields`."""
        request, reasoning = self.request, self.request.reasoning
        for key in reasoning.native if reasoning is not None else ():
            self.lose(f"reasoning.{key}", NO_FIELD)
        config: Fields = {"maxTokens": request.max_tokens}
        if self.family == "claude":
            return self._of_claude(config)
        effort = self._effort()
        sampling = {"temperature": request.temperature, "topP": request.top_p}
        if self.family == "nova" and effort == "high":
            for key, name in (("temperature", "temperature"), ("topP", "top_p")):
                if sampling.pop(key) is not None:
                    self.lose(name, "not taken with the effort high")
        elif self.family == "nova" and (request.temperature or 0) > 1:
            self.lose("temperature", "set to 1, the highest the model takes")
            sampling["temperature"] = 1.0
        additional = merged(write_top_k(request.top_k, self.family), write_effort(effort, self.family))
        return config | sampling, additional

    def _of_claude(self, config: Fields) -> tuple[Fields, Fields]:
        choice = self.request.tool_choice
        forced = choice is not None and (choice.kind in ("required", "tool") or choice.mode == "required")
        thinking, effort = self.claude.reasoning(forced=forced, answers_unsigned=self._answers_unsigned)
        sampling = self.claude.sampling(thinking is not None and thinking["type"] != "disabled")
        additional: Fields = {} if thinking is None else {"thinking": thinking}
        if effort is not None:
            additional["output_config"] = {"effort": effort}
        if "top_k" in sampling:
            additional["top_k"] = sampling["top_k"]
        config |= {"temperature": sampling.get("temperature"), "topP": sampling.get("top_p")}
        budget = (thinking or {}).get("budget_tokens")
        if budget is not None and config["maxTokens"] is None:
            config["maxTokens"] = budget + LOW  # it must be more than the budget, and the default may be less
        return config, additional

    def _answers_unsigned(self) -> bool:
        """Whether the answer under way (its tools have just run) began without thinking."""
        for role, parts in reversed(self.turns):
            if role == "user" and not any(isinstance(part, ToolResult) for part in parts):
                return False
            if role == "assistant" and not isinstance(parts[0], Thinking):
                return True
        return False

    def _effort(self) -> str | None:
        """The effort as the model's family knows it."""
        reasoning = self.request.reasoning
        if reasoning is None:
            return None
        effort = "none" if reasoning.mode == "disabled" else reasoning.effort
        if effort is None and reasoning.budget is not None:
            effort = "low" if reasoning.budget <= LOW else "medium" if reasoning.budget <= MEDIUM else "high"
            self.lose("thinking.budget_tokens", f"said as the effort {effort}")
        if effort is None:
            return None
        known = _EFFORTS.get(self.family)
        if known is None or (self.family == "nova" and "nova-2" not in self.request.model):
            if effort != "none":
                self.lose("reasoning_effort", "the model has no setting of its reasoning")
            return None
        said = known.get(effort, effort)
        if self.family == "nova" and said == "high" and self.request.max_tokens is not None:
            said = "medium"  # with high it takes no max_tokens
        if said != effort:
            self.lose("reasoning_effort", f"{effort} is said as {said}")
        return said

    def _format(self) -> Fields | None:
        form = self.request.format
        if form is None or form.kind == "text":
            return None
        if form.kind == "json":
            self.lose("response_format", "there is no JSON mode without a schema here: it is led by the prompt alone")
            return None
        if form.strict is not True:
            self.lose("response_format.json_schema.strict", "every schema is kept to strictly here")
        for key, value in form.native.items():
            self.lose_native(f"response_format.{key}", value)
        schema = narrowed(form.schema or {"type": "object"}, "response_format.json_schema.schema", self.lose)
        return write_format(msgspec.structs.replace(form, schema=schema, native={}))

    def _metadata(self) -> dict[str, str]:
        metadata = self.request.metadata
        fits = all(key and _METADATA.fullmatch(key) and _METADATA.fullmatch(metadata[key]) for key in metadata)
        if metadata and not (fits and len(metadata) <= _MOST_METADATA):
            self.lose("metadata", "at most 16 entries of plain letters and 256 characters are kept here")
            return {}
        return metadata

    def _service_tier(self) -> str | None:
        tier = self.request.service_tier
        if tier in (None, "auto"):
            return None
        said = _TIERS.get(tier or "")
        if said is None:
            self.lose("service_tier", "default, priority and flex are known here")
        return said
