"""StepFun: https://platform.stepfun.com/docs/zh/api-reference/chat/chat-completion-create."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat
from headgate.providers.provider import Provider


class StepFun(Provider):
    base_url = "https://api.stepfun.com/v1"
    env_key: ClassVar[str | None] = "STEPFUN_API_KEY"
    sample_model: ClassVar[str | None] = "step-3.5-flash"
    # its Messages API: https://platform.stepfun.com/docs/zh/api-reference/chat/messages-create
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, anthropic_messages)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
