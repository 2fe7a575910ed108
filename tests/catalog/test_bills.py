"""What vendors put on the bill: their own usage objects, at the prices of their pages, come to what they charge."""

from decimal import Decimal

from headgate.catalog.cost import Tariff, dollars
from headgate.core.usage import Usage
from headgate.dialects.anthropic_messages.words import read_usage as anthropic
from headgate.dialects.bedrock_converse.words import read_usage as bedrock
from headgate.dialects.cohere_chat.words import read_usage as cohere
from headgate.dialects.gemini_generate.words import read_usage as gemini
from headgate.dialects.openai_audio.reading import read_usage as sound
from headgate.dialects.openai_responses.words import read_usage as responses
from headgate.dialects.openai_usage import read_usage as openai
from together import together

# https://docs.anthropic.com/en/docs/about-claude/pricing
SONNET = {
    "input": "3", "cache_write": "3.75", "cache_write_1h": "6", "cache_read": "0.30", "output": "15",
    "input>200000": "6", "output>200000": "22.50", "batch.input": "1.50", "batch.output": "7.50",
    "web_searches": "0.01",
}  # fmt: skip
# https://platform.openai.com/docs/pricing
GPT_5 = {
    "input": "1.25", "cache_read": "0.125", "output": "10", "flex.input": "0.625", "flex.cache_read": "0.0625",
    "flex.output": "5", "priority.input": "2.50", "priority.cache_read": "0.25", "priority.output": "20",
    "batch.input": "0.625", "batch.output": "5", "web_searches": "0.01",
}  # fmt: skip
GPT_AUDIO = {"input": "2.50", "output": "10", "input_audio": "40", "output_audio": "80"}
GPT_IMAGE = {"input": "5", "input_image": "10", "output_image": "40"}
# https://ai.google.dev/gemini-api/docs/pricing
PRO = {
    "input": "1.25", "cache_read": "0.125", "output": "10", "input>200000": "2.50", "cache_read>200000": "0.25",
    "output>200000": "15", "web_searches": "0.035", "flex.input": "0.625", "flex.output": "5",
}  # fmt: skip
FLASH = {"input": "0.30", "input_audio": "1", "cache_read": "0.03", "output": "2.50"}
BANANA = {"input": "0.30", "output": "2.50", "output_image": "30", "images": "0.039"}
# https://aws.amazon.com/bedrock/pricing
NOVA_PRO = {"input": "0.80", "cache_read": "0.20", "output": "3.20", "flex.input": "0.40", "flex.output": "1.60"}
# https://api-docs.deepseek.com/quick_start/pricing-details-usd
DEEPSEEK = {"input": "0.27", "cache_read": "0.07", "output": "1.10"}
# https://mistral.ai/pricing, https://docs.x.ai/docs/models, https://cohere.com/pricing
MISTRAL = {"input": "2", "output": "6"}
GROK = {"input": "3", "cache_read": "0.75", "output": "15"}
COMMAND = {"input": "2.50", "output": "10"}


def of_openai(prompt, completion, ins=None, outs=None, tier=None, **more):
    raw = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return openai({**raw, "prompt_tokens_details": ins, "completion_tokens_details": outs, **more}, tier)


def of_claude(input, output, read=0, written=0, hour=0, **more):
    return anthropic(
        {
            "input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": hour}, **more,
        }
    )  # fmt: skip


BILLS = [
    # Claude: `input_tokens` excludes what is cached, thinking is output; writes are 1.25 and 2 times the price
    ("a chat", SONNET, of_claude(1_000, 500), "0.0105"),
    ("cached for 5 minutes", SONNET, of_claude(50, 100, written=10_000), "0.03915"),
    ("cached for an hour", SONNET, of_claude(50, 100, hour=10_000), "0.06165"),
    ("read from the cache", SONNET, of_claude(50, 100, read=10_000), "0.00465"),
    ("long only with what is cached", SONNET, of_claude(1_000, 1_000, read=199_001), "0.0882003"),
    ("one token less is not", SONNET, of_claude(1_000, 1_000, read=199_000), "0.0777"),
    ("a batch", SONNET, of_claude(1_000, 500, service_tier="batch"), "0.00525"),
    ("two searches of the web", SONNET, of_claude(1_000, 500, server_tool_use={"web_search_requests": 2}), "0.0305"),
    # OpenAI: `prompt_tokens` includes cached ones, `completion_tokens` reasoning
    ("cached and reasoning", GPT_5, of_openai(2_006, 300, {"cached_tokens": 1_920}, {"reasoning_tokens": 192}),
     "0.0033475"),
    ("served as flex", GPT_5, of_openai(2_006, 300, {"cached_tokens": 1_920}, tier="flex"), "0.00167375"),
    ("served as priority", GPT_5, of_openai(1_000, 100, tier="priority"), "0.0045"),
    ("flex that was served as usual", GPT_5, of_openai(1_000, 100, tier="default"), "0.00225"),
    ("sound", GPT_AUDIO, of_openai(119, 180, {"audio_tokens": 100}, {"audio_tokens": 130}), "0.0149475"),
    ("responses", GPT_5, responses(
        {"input_tokens": 2_006, "output_tokens": 300, "total_tokens": 2_306,
         "input_tokens_details": {"cached_tokens": 1_920}, "output_tokens_details": {"reasoning_tokens": 192}},
        {"service_tier": "default", "tool_usage": {"web_search": {"num_requests": 1}}}), "0.0133475"),
    ("a picture by tokens", GPT_IMAGE, Usage(input=50, input_image=200, output_image=1_056, units={"images": 1.0}),
     "0.04449"),
    # Gemini: thoughts come on top of the candidates, the cached part is in the prompt
    ("thoughts", PRO, gemini({"promptTokenCount": 1_000, "candidatesTokenCount": 200, "thoughtsTokenCount": 800,
                              "totalTokenCount": 2_000}), "0.01125"),
    ("a prompt above 200k", PRO, gemini({"promptTokenCount": 250_000, "cachedContentTokenCount": 200_000,
                                         "candidatesTokenCount": 1_000, "totalTokenCount": 251_000}), "0.19"),
    ("exactly 200k", PRO, gemini({"promptTokenCount": 200_000, "candidatesTokenCount": 1_000}), "0.26"),
    ("flex on Vertex AI", PRO, gemini({"promptTokenCount": 1_000, "candidatesTokenCount": 100,
                                       "trafficType": "ON_DEMAND_FLEX"}), "0.001125"),
    ("sound in", FLASH, gemini({"promptTokenCount": 1_100, "candidatesTokenCount": 100, "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 100}, {"modality": "AUDIO", "tokenCount": 1_000}]}), "0.00128"),
    ("a picture out", BANANA, gemini({"promptTokenCount": 100, "candidatesTokenCount": 1_290,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_290}]}), "0.03873"),
    # Bedrock: the cache is beside `inputTokens`
    ("Converse", NOVA_PRO, bedrock({"inputTokens": 500, "outputTokens": 100, "cacheReadInputTokens": 2_000}),
     "0.00112"),
    ("Converse as flex", NOVA_PRO, bedrock({"inputTokens": 500, "outputTokens": 100}, {"type": "flex"}), "0.00036"),
    # hosts that speak as OpenAI does
    ("DeepSeek", DEEPSEEK, of_openai(1_000, 500, prompt_cache_hit_tokens=640, prompt_cache_miss_tokens=360),
     "0.000692"),
    ("Mistral", MISTRAL, of_openai(1_000, 500, service_tier="standard"), "0.005"),
    ("Azure", GPT_5, of_openai(2_006, 300, {"cached_tokens": 1_920}, tier="default"), "0.0033475"),
    ("xAI counts reasoning on top", GROK, openai(
        {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
         "completion_tokens_details": {"reasoning_tokens": 94}}), "0.001641"),
    # what Vercel's gateway reports of gpt-5, with the cost it charges (recorded)
    ("Vercel counts reasoning on top of all", GPT_5, openai(
        {"prompt_tokens": 109, "completion_tokens": 368, "total_tokens": 477, "market_cost": 0.00637625,
         "completion_tokens_details": {"reasoning_tokens": 256}}), "0.00637625"),
    # Cohere bills fewer tokens than it counts, and searches
    ("Cohere", COMMAND, cohere({"billed_units": {"input_tokens": 5, "output_tokens": 418},
                                "tokens": {"input_tokens": 71, "output_tokens": 418}}), "0.0041925"),
    ("rerank", {"searches": "0.002"}, Usage(units={"searches": 3.0}), "0.006"),
    # what is not paid by tokens
    ("dall-e-3", {"images": "0.04"}, Usage(units={"images": 2.0}), "0.08"),
    ("whisper-1", {"seconds": "0.0001"}, sound({"duration": 8.47}), "0.000847"),
    ("tts-1", {"characters": "0.000015"}, Usage(units={"characters": 1_000}), "0.015"),
    ("Mistral OCR", {"pages": "0.001"}, Usage(units={"pages": 12}), "0.012"),
    ("Sonar", {"input": "1", "output": "1", "requests": "0.005"}, of_openai(14, 100), "0.005114"),
]  # fmt: skip


@together(("prices", "usage", "amount"), [bill[1:] for bill in BILLS])
def test_the_bill(prices, usage, amount):
    bill = Tariff(prices, usage.tier).bill(usage)
    assert (dollars(bill.nano), bill.why) == (str(Decimal(amount)), None)


def test_capacity_that_is_paid_by_the_hour_has_no_cost_of_its_own():
    usage = gemini({"promptTokenCount": 10, "candidatesTokenCount": 1, "trafficType": "PROVISIONED_THROUGHPUT"})
    bill = Tariff(PRO, usage.tier).bill(usage)
    assert bill.nano is None
    assert "PROVISIONED_THROUGHPUT" in bill.why
