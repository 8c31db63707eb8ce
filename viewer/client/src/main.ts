// Entry point. In a page it starts the viewer; elsewhere (Node) it only offers the parts below, for tests.

import { App } from "./app";
import { loadSource } from "./source";
import "./style.css";

export { SparseBlend } from "./blend";
export { VertexNormals } from "./normals";
export { readRig } from "./rig";
export { sidedTarget } from "./sides";

/** The running viewer, once `document.documentElement.dataset.viewer` says "ready". */
export let app: App | null = null;

async function start(host: HTMLElement): Promise<void> {
  const state = document.documentElement.dataset;
  state["viewer"] = "loading";
  try {
    app = new App(host, await loadSource());
    state["viewer"] = "ready";
  } catch (error) {
    // Whatever went wrong, the reader must see it in the page: there is no other place.
    const message = document.createElement("p");
    message.className = "failure";
    message.setAttribute("role", "alert");
    message.textContent = `The head could not be shown: ${error instanceof Error ? error.message : String(error)}`;
    host.replaceChildren(message);
    state["viewer"] = "failed";
  }
}

if (typeof document !== "undefined") {
  const host = document.getElementById("viewer");
  if (host !== null) void start(host);
}
