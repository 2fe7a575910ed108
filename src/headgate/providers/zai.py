"""Z.ai's GLM: https://docs.z.ai/api-reference/llm/chat-completion; in China https://open.bigmodel.cn/api/paas/v4."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_embeddings, openai_images
from headgate.providers.provider import Provider


class ZAI(Provider):
    base_url = "https://api.z.ai/api/paas/v4"
    env_key: ClassVar[str | None] = "ZAI_API_KEY"
    sample_model: ClassVar[str | None] = "glm-4.7"
    # https://docs.z.ai/api-reference/image/generate-image
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, anthropic_messages, openai_embeddings, openai_images)
    # one address for pay-as-you-go and the coding plan: https://docs.z.ai/scenario-example/develop-tools/claude
    beside = {"anthropic_messages": (("/coding/paas/v4", "/paas/v4"), "/anthropic")}
    # the page above, and its SDK: https://github.com/zai-org/z-ai-sdk-python
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
