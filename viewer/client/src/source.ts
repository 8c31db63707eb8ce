// Where the rig and its labels come from: out of the page itself, or from the server that sent it.

import type { ViewerMetadata } from "./messages";

export interface Source {
  readonly glb: ArrayBuffer;
  readonly metadata: ViewerMetadata;
  /** Whether a server is behind the page, which can work on other heads. */
  readonly served: boolean;
  /** What the server calls this head; empty without one. */
  readonly head: string;
}

export async function loadSource(): Promise<Source> {
  const labels = document.getElementById("viewer-metadata");
  const rig = document.getElementById("viewer-rig");
  if (labels !== null && rig !== null) {
    const bytes = Uint8Array.from(atob(rig.textContent ?? ""), (letter) => letter.charCodeAt(0));
    return {
      glb: await inflated(bytes),
      metadata: JSON.parse(labels.textContent ?? "") as ViewerMetadata,
      served: false,
      head: "main",
    };
  }
  const [glb, metadata] = await Promise.all([fetchChecked("rig.bin"), fetchChecked("metadata.json")]);
  return {
    glb: await inflated(new Uint8Array(await glb.arrayBuffer())),
    metadata: (await metadata.json()) as ViewerMetadata,
    served: true,
    head: "main",
  };
}

/** A GLB, whether it comes as gzip or as it is. */
export async function inflated(bytes: Uint8Array): Promise<ArrayBuffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.slice().buffer as ArrayBuffer;
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** The page's own query holds the token that the data routes ask for. */
async function fetchChecked(name: string): Promise<Response> {
  const response = await fetch(name + location.search);
  if (!response.ok) throw new Error(`${name}: the server answered ${response.status}`);
  return response;
}
