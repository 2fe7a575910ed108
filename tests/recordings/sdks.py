"""The vendors' own SDKs as clients: each asks a plain question in its dialect and gives what it has parsed, as JSON."""

import contextlib
import json
import ssl

import anthropic
import boto3
import botocore
import cohere
import httpx
import ollama
import openai
from botocore.config import Config
from cohere.core.api_error import ApiError
from google import genai
from google.genai import types

from gateways import KEY
from recordings.comparing import message_of

PROMPT = "Hello."
MESSAGES = [{"role": "user", "content": PROMPT}]
ERRORS = (
    openai.OpenAIError,
    anthropic.AnthropicError,
    genai.errors.APIError,
    botocore.exceptions.ClientError,
    botocore.exceptions.EventStreamError,
    ApiError,
    ollama.ResponseError,
)
"""How they say that there was an error."""


def status_of(error):
    """The status an SDK's error has."""
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return getattr(error, "status_code", None) or getattr(error, "code", None)


def told(error):
    """The message an SDK's error has."""
    if isinstance(error, botocore.exceptions.ClientError):
        return error.response["Error"]["Message"]
    body = getattr(error, "body", None) or getattr(error, "details", None) or getattr(error, "error", None)
    return message_of(body) or str(error)


class Clients:
    """One client of each SDK, kept open; `ask` gives a whole reply as an object, a stream as the list of its events."""

    def __init__(self, gateway):
        self.open = contextlib.ExitStack()
        authorities = ssl.create_default_context()
        http = self.open.enter_context(httpx.Client(verify=authorities, timeout=20))
        given = {"api_key": KEY, "max_retries": 0, "timeout": 20}
        self.openai = openai.OpenAI(
            base_url=f"{gateway.url}/v1", http_client=openai.DefaultHttpxClient(verify=authorities), **given
        )
        self.anthropic = anthropic.Anthropic(
            base_url=gateway.url, http_client=anthropic.DefaultHttpxClient(verify=authorities), **given
        )
        options = types.HttpOptions(base_url=gateway.url, httpx_client=http)
        self.google = genai.Client(api_key=KEY, http_options=options)
        self.cohere = cohere.ClientV2(api_key=KEY, base_url=gateway.url, httpx_client=http)
        self.ollama = ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}, verify=authorities)
        config = Config(retries={"total_max_attempts": 1}, signature_version=botocore.UNSIGNED, read_timeout=20)
        self.bedrock = boto3.session.Session().client(
            "bedrock-runtime", region_name="eu-west-1", endpoint_url=gateway.url, config=config
        )
        self.bedrock.meta.events.register("before-sign.bedrock-runtime", prove)
        for client in (self.openai, self.anthropic, self.bedrock, self.ollama, self.google):
            self.open.callback(client.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open.close()

    def ask(self, dialect, model, stream):
        return getattr(self, dialect)(model, stream)

    def openai_chat(self, model, stream):
        given = {"model": model, "messages": MESSAGES}
        if not stream:
            return self.openai.chat.completions.create(**given).to_dict()
        chunks = self.openai.chat.completions.create(**given, stream=True, stream_options={"include_usage": True})
        return [chunk.to_dict() for chunk in chunks]

    def openai_responses(self, model, stream):
        if not stream:
            return self.openai.responses.create(model=model, input=PROMPT).to_dict()
        return [event.to_dict() for event in self.openai.responses.create(model=model, input=PROMPT, stream=True)]

    def anthropic_messages(self, model, stream):
        given = {"model": model, "max_tokens": 4000, "messages": MESSAGES}
        if not stream:
            return self.anthropic.messages.create(**given).to_dict()
        return [event.to_dict() for event in self.anthropic.messages.create(**given, stream=True)]

    def gemini_generate(self, model, stream):
        ask = self.google.models.generate_content_stream if stream else self.google.models.generate_content
        reply = ask(model=model, contents=PROMPT)
        parsed = [
            json.loads(one.model_dump_json(by_alias=True, exclude_none=True)) for one in (reply if stream else [reply])
        ]
        return parsed if stream else parsed[0]

    def bedrock_converse(self, model, stream):
        given = {"modelId": model, "messages": [{"role": "user", "content": [{"text": PROMPT}]}]}
        if not stream:
            return self.bedrock.converse(**given)
        with contextlib.closing(self.bedrock.converse_stream(**given)["stream"]) as events:
            return list(events)

    def cohere_chat(self, model, stream):
        given = {"model": model, "messages": MESSAGES, "request_options": {"max_retries": 0}}
        if not stream:
            return self.cohere.chat(**given).dict()
        return [event.dict() for event in self.cohere.chat_stream(**given)]

    def ollama_chat(self, model, stream):
        reply = self.ollama.chat(model=model, messages=MESSAGES, stream=stream)
        return [one.model_dump() for one in reply] if stream else reply.model_dump()


def prove(request, **_):
    """The gateway's key, as a Bedrock API key goes: the SDK itself sends those over TLS only."""
    request.headers["authorization"] = f"Bearer {KEY}"
