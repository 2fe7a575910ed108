// `ai`, Vercel's toolkit, with its providers for OpenAI (both APIs), Anthropic and compatible hosts.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { BREAK, FAIL, HELLO, RESULTS, TOOLS, WEATHER, api, key, model as named, report, url } from "./walk.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
const given = { baseURL: `${url}/v1`, apiKey: key };
const model = {
  responses: () => createOpenAI(given).responses(named),
  chat: () => createOpenAI(given).chat(named),
  anthropic: () => createAnthropic(given)(named),
  compatible: () => createOpenAICompatible({ name: "headgate", includeUsage: true, ...given })(named),
}[api]();
// Else it sends references to what OpenAI would have kept.
const providerOptions = { openai: { store: false } };
const ask = (prompt) => ({ model, prompt, maxRetries: 0, maxOutputTokens: 300, providerOptions });

// The toolkit hands errors of a stream to a callback, and ends the stream as if all were well.
async function drained(asked) {
  let failed;
  const stream = streamText({ ...asked, onError: ({ error }) => { failed = error; } });
  const pieces = [];
  for await (const piece of stream.textStream) pieces.push(piece);
  if (failed) throw failed instanceof Error ? failed : new Error(JSON.stringify(failed));
  return { stream, pieces };
}

await report({
  whole: async () => {
    const { text, usage } = await generateText(ask(HELLO));
    return { text, usage: [usage.inputTokens, usage.outputTokens] };
  },
  streamed: async () => {
    const { stream, pieces } = await drained(ask(HELLO));
    const usage = await stream.usage;
    return { text: pieces.join(""), usage: [usage.inputTokens, usage.outputTokens], pieces: pieces.length };
  },
  tools: async () => {
    const calls = [];
    const tools = Object.fromEntries(
      TOOLS.map(({ name, description, parameters }) => [
        name,
        tool({
          description,
          inputSchema: jsonSchema(parameters),
          execute: async (input) => {
            calls.push([name, input]);
            return RESULTS[name];
          },
        }),
      ]),
    );
    const { stream } = await drained({ ...ask(WEATHER), tools, stopWhen: stepCountIs(3) });
    return { calls, text: await stream.text };
  },
  fails: () => generateText(ask(FAIL)),
  breaks: () => drained(ask(BREAK)),
});
