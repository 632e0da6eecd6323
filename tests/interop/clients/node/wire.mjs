// The line protocol of a driver (../../drivers.py says what it is): one step in, one answer out.

import { createInterface } from 'node:readline';

/** Where the endpoint is. */
export const base = process.argv[2];

/** The server said no, as far as the client tells. */
export class Refused extends Error {
  constructor(status, outcome) {
    super(`refused ${status}`);
    this.answer = { refused: { status: status ?? null, outcome: outcome ?? null } };
  }
}

/** Answer each line of standard input until it ends. */
export async function run(steps) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { step, ...asked } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await answer(steps[step], asked))}\n`);
  }
  process.exit(0); // whatever connections a client keeps
}

async function answer(step, asked) {
  if (step === undefined) return { cannot: true };
  try {
    return { ok: (await step(asked)) ?? null };
  } catch (error) {
    return error instanceof Refused ? error.answer : { broken: String(error?.stack ?? error) };
  }
}
