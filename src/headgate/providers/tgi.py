"""Hugging Face's Text Generation Inference: https://huggingface.co/docs/text-generation-inference/messages_api."""

from headgate.providers.provider import Provider


class TGI(Provider):
    base_url = "http://127.0.0.1:8080/v1"
    # https://huggingface.co/docs/text-generation-inference/reference/api_reference
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
