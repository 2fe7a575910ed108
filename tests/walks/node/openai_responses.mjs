// `openai`, Responses.
import OpenAI from "openai";
import { BREAK, FAIL, HELLO, RESULTS, TOOLS, WEATHER, key, model, report, url } from "./walk.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const tools = TOOLS.map((tool) => ({ type: "function", strict: false, ...tool }));
const counted = (reply) => [reply.usage.input_tokens, reply.usage.output_tokens];

await report({
  whole: async () => {
    const reply = await client.responses.create({ model, input: HELLO });
    return { text: reply.output_text, usage: counted(reply) };
  },
  streamed: async () => {
    const stream = client.responses.stream({ model, input: HELLO });
    let pieces = 0;
    stream.on("response.output_text.delta", () => pieces++);
    const final = await stream.finalResponse();
    return { text: final.output_text, usage: counted(final), pieces };
  },
  tools: async () => {
    const input = [{ role: "user", content: WEATHER }];
    const first = await client.responses.stream({ model, input, tools }).finalResponse();
    const asked = first.output.filter((item) => item.type === "function_call");
    const results = asked.map((call) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: RESULTS[call.name],
    }));
    const last = await client.responses.create({ model, input: [...input, ...first.output, ...results], tools });
    return { calls: asked.map((call) => [call.name, JSON.parse(call.arguments)]), text: last.output_text };
  },
  fails: () => client.responses.create({ model, input: FAIL }),
  breaks: () => client.responses.stream({ model, input: BREAK }).finalResponse(),
});
