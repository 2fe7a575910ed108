"""Qwen on Alibaba Cloud's Model Studio (DashScope): https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions.

In China https://dashscope.aliyuncs.com/compatible-mode/v1.
"""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_embeddings, openai_responses
from headgate.providers.provider import Provider


class Qwen(Provider):
    base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    env_key: ClassVar[str | None] = "DASHSCOPE_API_KEY"
    sample_model: ClassVar[str | None] = "qwen-plus"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, anthropic_messages, openai_embeddings)
    # https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages
    # https://www.alibabacloud.com/help/en/model-studio/compatibility-with-openai-responses-api
    beside = {
        "anthropic_messages": (("/compatible-mode/v1",), "/apps/anthropic"),
        "openai_responses": (("/compatible-mode/v1",), "/api/v2/apps/protocols/compatible-mode/v1"),
    }
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
