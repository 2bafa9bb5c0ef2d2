// The JavaScript example, which misbehaves on command: `{"do": "spin"}` as the data of an event.
//
// It logs what came of it. Without a command it does what the example does.

import { handler as example } from "../../examples/javascript/handler.js";
import { write } from "hookgate:plugin/log@0.2.0";

let calls = 0;

export const handler = {
  ...example,

  async handle(event, context) {
    calls += 1;
    const command = JSON.parse(event.data);
    if (command.do === undefined) {
      return example.handle(event, context);
    }
    write("info", String(await commands[command.do](command)));
  },
};

const commands = {
  count: () => calls,
  now: () => Date.now(),
  random: () => crypto.getRandomValues(new Uint8Array(8)).join("-"),
  print: () => {
    console.log("printed");
    return "written";
  },
  spin: () => {
    for (;;);
  },
  hoard: () => {
    const hoard = [];
    for (;;) {
      hoard.push(new Uint8Array(1 << 20).fill(1));
    }
  },
  mistake: () => {
    console.error("told to");
    throw new Error("told to");
  },
  sleep: () => new Promise((resolve) => setTimeout(resolve, 3_600_000)),
  environment: () => typeof process,
  files: () => typeof require,
  network: async ({ port }) => (await fetch(`http://127.0.0.1:${port}/`)).status,
};
