// Sends a head file to the server, shows how far it is, and brings back what the page shows.

import { button, element } from "./elements";
import type { HeadJob } from "./messages";
import { inflated } from "./source";

const POLL_MS = 400;

/** A strip over the head while the server works; it can be cancelled. */
export class HeadUpload {
  readonly root = element("div", { class: "upload", hidden: true });
  private readonly text = element("span", { role: "status" });
  private readonly abort = new AbortController();
  private cancelled = false;
  private busy = false;

  constructor() {
    const cancel = button("Cancel", {}, () => {
      this.cancelled = true;
      this.abort.abort();
    });
    this.root.append(element("progress", { "aria-label": "Working on the head" }), this.text, cancel);
  }

  /** The GLB of the head's rig; null when the reader cancelled. Throws an Error that says what is wrong with the file. */
  async send(file: File): Promise<ArrayBuffer | null> {
    if (this.busy) throw new Error("another head is being worked on");
    this.busy = true;
    this.root.hidden = false;
    this.text.textContent = `${file.name}: sending`;
    let job: HeadJob | null = null;
    try {
      const address = `heads${location.search}&name=${encodeURIComponent(file.name)}`;
      job = await this.json(address, { method: "POST", body: file });
      const since = performance.now();
      while (job.state === "running" && !this.cancelled) {
        const seconds = Math.round((performance.now() - since) / 1000);
        this.text.textContent = `${file.name}: ${job.stage}, ${seconds} s`;
        await new Promise((done) => setTimeout(done, POLL_MS));
        job = await this.json(`heads/${job.id}${location.search}`);
      }
      if (job.state === "failed") throw new Error(job.error);
      const answer = await fetch(`heads/${job.id}/rig.bin${location.search}`, { signal: this.abort.signal });
      return inflated(new Uint8Array(await answer.arrayBuffer()));
    } catch (error) {
      if (!this.cancelled) throw error;
      return null;
    } finally {
      if (job !== null) void fetch(`heads/${job.id}${location.search}`, { method: "DELETE" });
      this.busy = false;
      this.root.hidden = true;
    }
  }

  private async json(address: string, how: RequestInit = {}): Promise<HeadJob> {
    const answer = await fetch(address, { ...how, signal: this.abort.signal });
    if (answer.ok) return (await answer.json()) as HeadJob;
    const said = (await answer.json().catch(() => ({}))) as { detail?: string };
    throw new Error(said.detail ?? `the server answered ${answer.status}`);
  }
}
