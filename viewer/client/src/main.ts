// Entry point. In a page it starts the viewer; elsewhere (Node) it only offers the parts below, for tests.

import { App } from "./app";
import { loadSource, type Source } from "./source";
import "./style.css";

export { arkitFromPose, poseFromArkit } from "./arkit";
export { SparseBlend } from "./blend";
export { readCurves, writeCurves } from "./curve_files";
export { padWeights } from "./emotion_pad";
export { Glb } from "./glb";
export { writeGlb } from "./glb_write";
export { History } from "./history";
export { changedKeys, copiedKeys, movedBy, pastedKeys, pulled, scaledBy } from "./key_edits";
export { sampleTrack, withKey } from "./keys";
export { emptyLayer, sumAt, withLayer, withTrack } from "./layers";
export { liveLinkText } from "./live_link";
export { mirrored } from "./mirror";
export { VertexNormals } from "./normals";
export { objText } from "./obj_write";
export { poseOf } from "./pose";
export { withBoundary, withSymbol } from "./phones";
export { emptyProject, poseAt, tracksOfFrames, withClip, withFrames } from "./project";
export { projectText, readProject } from "./project_file";
export { readRig } from "./rig";
export { fingerprintOf } from "./sounds";
export { tar } from "./tar";
export { largestError, thinned } from "./thinning";
export { peaksOf, wavFile } from "./waveform";

/** The running viewer, once `document.documentElement.dataset.viewer` says "ready". */
export let app: App | null = null;

function show(host: HTMLElement, source: Source, carried: string | null = null): App {
  const before = app;
  app = new App(host, source, (other, project) => show(host, other, project), carried);
  before?.dispose();
  return app;
}

const LONGEST_WAIT_MS = 2000;

/** The page without the head is on the screen. Behind other tabs, where nothing is painted, there is no waiting. */
function painted(): Promise<void> {
  if (document.visibilityState === "hidden") return Promise.resolve();
  return new Promise((done) => {
    new PerformanceObserver(() => done()).observe({ type: "paint", buffered: true });
    setTimeout(done, LONGEST_WAIT_MS);
  });
}

async function start(host: HTMLElement): Promise<void> {
  const state = document.documentElement.dataset;
  state["viewer"] = "loading";
  try {
    const [source] = await Promise.all([loadSource(), painted()]);
    const { opens } = source.metadata;
    const shown = show(host, source);
    if (source.served && opens !== null) void shown.incoming.open(opens, true);
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
