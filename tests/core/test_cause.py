"""What refusals are about, by the words of the vendors' documentation."""

from headgate.core.cause import cause
from headgate.core.errors import ProviderRefused, ProviderTimeout
from together import together


def refused(status, message="", kind=None, code=None):
    return ProviderRefused(message, status=status, kind=kind, vendor_code=code)


@together(
    ("error", "what"),
    [
        (
            refused(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
            "context_overflow",
        ),
        (
            refused(400, "prompt is too long: 205000 tokens > 200000 maximum", "invalid_request_error"),
            "context_overflow",
        ),
        (
            refused(400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            "context_overflow",
        ),
        (refused(400, "Input is too long for requested model.", "ValidationException"), "context_overflow"),
        (
            refused(400, "the request exceeds the available context size", "exceed_context_size_error"),
            "context_overflow",
        ),
        (refused(413, "Prompt is too long"), "context_overflow"),
        (
            refused(400, "The response was filtered: Azure OpenAI's content management policy", code="content_filter"),
            "refusal",
        ),
        (
            refused(400, "Your request was rejected as a result of our safety system.", code="moderation_blocked"),
            "refusal",
        ),
        (refused(403, "Your chosen model requires moderation and your input was flagged by OpenAI"), "refusal"),
        (refused(429, "Rate limit reached for gpt-4o", code="rate_limit_exceeded"), "rate_limit"),
        (
            refused(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                code="RESOURCE_EXHAUSTED",
            ),
            "rate_limit",
        ),
        (refused(429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"), "quota"),
        (refused(400, "Your credit balance is too low to access the Anthropic API."), "quota"),
        (refused(402, "Insufficient Balance"), "quota"),
        (refused(401, "Incorrect API key provided", code="invalid_api_key"), "key"),
        (refused(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"), "key"),
        (refused(400, "Invalid value: 'API key not valid'. Supported values are: 'auto'."), None),
        (refused(400, "'insufficient quota' is not one of ['auto', 'default']"), None),
        (refused(400, "logit_bias: invalid token 99999"), None),
        (refused(403, "Project does not have access to model gpt-5"), "denied"),
        (refused(400, "Invalid value for 'temperature'"), None),
        (refused(400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"), None),
        (refused(404, "The model does not exist"), None),
        (refused(500, "too many tokens"), None),
        (ProviderTimeout("slow"), None),
    ],
)
def test_what_it_is_about(error, what):
    assert cause(error) == what
