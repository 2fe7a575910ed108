// `@anthropic-ai/sdk`, Messages.
import Anthropic from "@anthropic-ai/sdk";
import { BREAK, FAIL, HELLO, RESULTS, TOOLS, WEATHER, key, model, report, url } from "./walk.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const ask = (text) => ({ model, max_tokens: 300, messages: [{ role: "user", content: text }] });
const tools = TOOLS.map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters }));
const text = (reply) => reply.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const counted = ({ usage }) => [
  usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
  usage.output_tokens,
];

await report({
  whole: async () => {
    const reply = await client.messages.create(ask(HELLO));
    return { text: text(reply), usage: counted(reply) };
  },
  streamed: async () => {
    const stream = client.messages.stream(ask(HELLO));
    let pieces = 0;
    stream.on("text", () => pieces++);
    const final = await stream.finalMessage();
    return { text: text(final), usage: counted(final), pieces };
  },
  tools: async () => {
    const first = await client.messages.stream({ ...ask(WEATHER), tools }).finalMessage();
    const asked = first.content.filter((block) => block.type === "tool_use");
    const results = asked.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: RESULTS[call.name] }));
    const messages = [
      ...ask(WEATHER).messages,
      { role: "assistant", content: first.content },
      { role: "user", content: results },
    ];
    const last = await client.messages.create({ ...ask(WEATHER), messages, tools });
    return { calls: asked.map((call) => [call.name, call.input]), text: text(last) };
  },
  fails: () => client.messages.create(ask(FAIL)),
  breaks: () => client.messages.stream(ask(BREAK)).finalMessage(),
});
