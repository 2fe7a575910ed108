"""SiliconFlow: https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions.

In China https://api.siliconflow.cn/v1.
"""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import jina_rerank, openai_audio, openai_chat, openai_embeddings
from headgate.dialects.openai_audio import speech
from headgate.providers.provider import Provider


class SiliconFlow(Provider):
    base_url = "https://api.siliconflow.com/v1"
    env_key: ClassVar[str | None] = "SILICONFLOW_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # https://docs.siliconflow.com/en/api-reference/audio/create-speech
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings, jina_rerank, openai_audio, speech)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
