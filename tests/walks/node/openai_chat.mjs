// `openai`, Chat Completions.
import OpenAI from "openai";
import { BREAK, FAIL, HELLO, RESULTS, TOOLS, WEATHER, key, model, report, url } from "./walk.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const ask = (text) => ({ model, messages: [{ role: "user", content: text }] });
const tools = TOOLS.map((tool) => ({ type: "function", function: tool }));

await report({
  whole: async () => {
    const reply = await client.chat.completions.create(ask(HELLO));
    return { text: reply.choices[0].message.content, usage: [reply.usage.prompt_tokens, reply.usage.completion_tokens] };
  },
  streamed: async () => {
    const stream = client.chat.completions.stream({ ...ask(HELLO), stream_options: { include_usage: true } });
    let pieces = 0;
    stream.on("content", () => pieces++);
    const final = await stream.finalChatCompletion();
    const usage = [final.usage.prompt_tokens, final.usage.completion_tokens];
    return { text: final.choices[0].message.content, usage, pieces };
  },
  tools: async () => {
    const first = await client.chat.completions.stream({ ...ask(WEATHER), tools }).finalMessage();
    const results = first.tool_calls.map((call) => ({
      role: "tool",
      tool_call_id: call.id,
      content: RESULTS[call.function.name],
    }));
    const messages = [...ask(WEATHER).messages, first, ...results];
    const last = await client.chat.completions.create({ model, messages, tools });
    const calls = first.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
    return { calls, text: last.choices[0].message.content };
  },
  fails: () => client.chat.completions.create(ask(FAIL)),
  breaks: () => client.chat.completions.stream(ask(BREAK)).finalContent(),
});
