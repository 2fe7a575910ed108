"""What a client sends: the recorded request, or a plain prompt of ours where none was recorded."""

import json
from urllib.parse import unquote

PLAIN = {
    "openai_chat": {"messages": [{"role": "user", "content": "Hello."}]},
    "openai_responses": {"input": "Hello."},
    "openai_completions": {"prompt": "Hello."},
    "openai_embeddings": {"input": "Hello."},
    "anthropic_messages": {"max_tokens": 4000, "messages": [{"role": "user", "content": "Hello."}]},
    "anthropic_invoke": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": "Hello."}],
    },
    "gemini_generate": {"contents": [{"role": "user", "parts": [{"text": "Hello."}]}]},
    "gemini_count_tokens": {"contents": [{"role": "user", "parts": [{"text": "Hello."}]}]},
    "vertex_predict": {"instances": [{"content": "Hello."}]},
    "bedrock_converse": {"messages": [{"role": "user", "content": [{"text": "Hello."}]}]},
    "cohere_chat": {"messages": [{"role": "user", "content": "Hello."}]},
    "cohere_embed": {"texts": ["Hello."], "input_type": "search_query", "embedding_types": ["float"]},
    "cohere_embed_v1": {"texts": ["Hello."], "input_type": "search_query"},
    "ollama_chat": {"messages": [{"role": "user", "content": "Hello."}]},
    "ollama_generate": {"prompt": "Hello."},
}
"""The least each API takes, by dialect."""
BOUNDARY = "----recorded-0123456789abcdef"


def plain(dialect, stream):
    """The body of a plain prompt without a model, for a reply like the recorded one."""
    said = {**PLAIN[dialect.name]}
    if dialect.operation == "chat" and not dialect.in_url:
        said["stream"] = stream
    if stream and dialect.name in ("openai_chat", "openai_completions"):
        said["stream_options"] = {"include_usage": True}
    return said


def recorded(found):
    """(body, its content type) of the recorded request; (None, None) where it has none."""
    request = found["request"]
    body = request.get("body")
    if isinstance(body, dict) and "__multipart__" in body:
        return multipart(body["__multipart__"]), f"multipart/form-data; boundary={BOUNDARY}"
    kind = request["headers"].get("content-type", "application/json")
    if body is not None:
        return json.dumps(body, ensure_ascii=False).encode(), kind
    return (request["text"].encode(), kind) if request.get("text") else (None, None)


def multipart(fields):
    """The recorded form; of its files, which were not kept, as many bytes as they had."""
    lines = b""
    for name, value in fields.items():
        lines += f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"'.encode()
        if isinstance(value, dict):
            kind = "application/octet-stream"
            lines += f'; filename="{value["__file__"]}"\r\ncontent-type: {kind}'.encode()
            value = "\0" * value["bytes"]
        lines += f"\r\n\r\n{value}\r\n".encode()
    return lines + f"--{BOUNDARY}--\r\n".encode()


def in_own_words(found, host, face):
    """(path, body, content type): the recorded request as a client of the gateway sends it, or a plain one."""
    dialect, body = face.dialect, found["request"].get("body")
    said = body["__multipart__"] if dialect.takes == "form" else body
    if said is None:
        said = plain(dialect, found["stream"])
    if dialect.name == "gemini_embed" and "requests" in said:  # each holds the URL's model again
        named = face.path.rpartition("/models/")[2].partition(":")[0]
        said = {"requests": [{**one, "model": f"models/{unquote(named)}"} for one in said["requests"]]}
    if not dialect.in_url:
        said = {**said, "model": f"{host.name}/{said.get('model') or found['model'] or 'any'}"}
    if dialect.takes == "form":
        return face.path, multipart(said), f"multipart/form-data; boundary={BOUNDARY}"
    return face.path, json.dumps(said, ensure_ascii=False).encode(), "application/json"
