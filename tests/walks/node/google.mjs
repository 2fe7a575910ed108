// `@google/genai`, generateContent.
import { GoogleGenAI } from "@google/genai";
import { BREAK, FAIL, HELLO, RESULTS, TOOLS, WEATHER, key, model, report, url } from "./walk.mjs";

const { models } = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
const ask = (text) => ({ model, contents: [{ role: "user", parts: [{ text }] }] });
const config = { tools: [{ functionDeclarations: TOOLS }] };
const counted = ({ usageMetadata: usage }) => [
  usage.promptTokenCount,
  (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
];

async function drained(given) {
  const found = { parts: [], pieces: 0 };
  for await (const piece of await models.generateContentStream(given)) {
    found.parts.push(...(piece.candidates?.[0]?.content?.parts ?? []));
    found.pieces++;
    found.last = piece;
  }
  return found;
}

await report({
  whole: async () => {
    const reply = await models.generateContent(ask(HELLO));
    return { text: reply.text, usage: counted(reply) };
  },
  streamed: async () => {
    const { parts, pieces, last } = await drained(ask(HELLO));
    return { text: parts.map((part) => part.text ?? "").join(""), usage: counted(last), pieces };
  },
  tools: async () => {
    const { parts } = await drained({ ...ask(WEATHER), config });
    const asked = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    const results = asked.map(({ id, name }) => ({
      functionResponse: { id, name, response: { output: RESULTS[name] } },
    }));
    const contents = [...ask(WEATHER).contents, { role: "model", parts }, { role: "user", parts: results }];
    const last = await models.generateContent({ model, contents, config });
    return { calls: asked.map((call) => [call.name, call.args]), text: last.text };
  },
  fails: () => models.generateContent(ask(FAIL)),
  breaks: () => drained(ask(BREAK)),
});
