// Work that the server does on a file that the page sends: its progress, cancelling it, and what comes back.

import type { HeadJob } from "./messages";

const POLL_MS = 400;

/** Thrown when the reader cancelled. */
export class Cancelled extends Error {}

export interface Order {
  /** The route, "heads" or "sequences". */
  readonly route: string;
  /** What the reader calls the file. */
  readonly name: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body: Blob | null;
  /** The part of the answer that is wanted, "rig.bin" or "curves.json". */
  readonly result: string;
  readonly said: (stage: string) => void;
  readonly signal: AbortSignal;
}

/** What the job made, with its id. Throws an Error that says what is wrong with the file, or Cancelled. */
export async function workedOn(order: Order): Promise<{ id: string; answer: Response }> {
  const { route, name, signal } = order;
  let job: HeadJob | null = null;
  let done = false;
  try {
    order.said("sending");
    job = await asked<HeadJob>(address(route, { name, ...order.query }), { method: "POST", body: order.body, signal });
    const since = performance.now();
    while (job.state === "running") {
      order.said(`${job.stage}, ${Math.round((performance.now() - since) / 1000)} s`);
      await pause(POLL_MS, signal);
      job = await asked<HeadJob>(address(`${route}/${job.id}`), { signal });
    }
    if (job.state === "failed") throw new Error(job.error);
    const answer = await fetch(address(`${route}/${job.id}/${order.result}`), { signal });
    if (!answer.ok) throw new Error(await refusal(answer));
    done = true;
    return { id: job.id, answer };
  } catch (error) {
    if (signal.aborted) throw new Cancelled();
    throw error;
  } finally {
    if (job !== null && !done) void fetch(address(`${route}/${job.id}`), { method: "DELETE" });
  }
}

/** A route beside the page, with the token of the page's own address. */
export function address(route: string, query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(query)) search.set(name, value);
  return `${route}?${search}`;
}

/** The answer's JSON. Throws an Error with the server's own words. */
export async function asked<T>(route: string, how: RequestInit = {}): Promise<T> {
  const answer = await fetch(route, how);
  if (!answer.ok) throw new Error(await refusal(answer));
  return (await answer.json()) as T;
}

async function refusal(answer: Response): Promise<string> {
  const said = (await answer.json().catch(() => ({}))) as { detail?: string };
  return said.detail ?? `the server answered ${answer.status}`;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}
