// What the walks of all SDKs share: the settings given on the command line, and the report they print.

export const { url, key, model, api } = JSON.parse(process.argv[2]);
export const HELLO = "Say hello in three languages.";
export const WEATHER = "What is the weather?";
export const FAIL = "Fail at once.";
export const BREAK = "Fail in the middle.";
export const RESULTS = { get_weather: "21 °C", get_time: "9:00" };
export const TOOLS = Object.keys(RESULTS).map((name) => ({
  name,
  description: `The ${name}.`,
  parameters: { type: "object", properties: { city: { type: "string" }, unit: { type: "string" } } },
}));

const said = (error) => ({ status: error.status ?? error.statusCode ?? null, message: String(error.message) });

async function failure(step) {
  try {
    return { answered: await step() };
  } catch (error) {
    return said(error);
  }
}

// Runs the steps one after the other; the two that must fail report how they did.
export async function report({ whole, streamed, tools, fails, breaks }) {
  const found = { whole: await whole(), streamed: await streamed(), tools: await tools() };
  found.fails = await failure(fails);
  found.breaks = await failure(breaks);
  console.log(JSON.stringify(found));
}
