// The stage as a video: what its canvas draws while time runs, through the browser's own recorder.

const PART_MS = 250;
const SILENCE_MS = 4 * PART_MS;
const LONGEST_DELAY_MS = 8000;
const BITS_PER_SECOND = 12_000_000;
const KINDS = ["video/webm;codecs=vp8", "video/webm;codecs=vp9", "video/webm"]; // vp8 keeps up on a slow machine

/** Whether this browser can record a canvas. */
export function recordsVideo(canvas: HTMLCanvasElement): boolean {
  return kind() !== null && typeof canvas.captureStream === "function";
}

function kind(): string | null {
  if (typeof MediaRecorder === "undefined") return null;
  return KINDS.find((each) => MediaRecorder.isTypeSupported(each)) ?? null;
}

export interface Take {
  readonly seconds: number;
  readonly fps: number;
  /** Shows a time; called about once a frame, with times that run with the clock. */
  readonly show: (time: number) => void;
  /** A share of 0 to 1, while it records. */
  readonly progress: (share: number) => void;
  readonly signal: AbortSignal;
}

/** Records a take; null when it was aborted. Throws an Error where the browser cannot record. */
export async function recordVideo(canvas: HTMLCanvasElement, take: Take): Promise<Blob | null> {
  const mimeType = kind();
  if (mimeType === null || !recordsVideo(canvas)) throw new Error("this browser cannot record video of the page");
  const stream = canvas.captureStream(0); // each frame is asked for: left to itself, capture may wait for the compositor
  const [track] = stream.getVideoTracks() as CanvasCaptureMediaStreamTrack[];
  const show = (time: number): void => {
    take.show(time);
    track?.requestFrame();
  };
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
  const parts: Blob[] = [];
  let lastPart = Infinity;
  recorder.addEventListener("dataavailable", (event) => {
    parts.push(event.data);
    if (event.data.size > 0) lastPart = performance.now();
  });
  const stopped = new Promise<void>((done, failed) => {
    recorder.addEventListener("stop", () => done());
    recorder.addEventListener("error", () => failed(new Error("the browser broke off the recording")));
  });
  show(0);
  recorder.start(PART_MS);
  const since = performance.now();
  let time = 0;
  while (time < take.seconds && !take.signal.aborted && recorder.state === "recording") {
    await new Promise((done) => setTimeout(done, 1000 / take.fps));
    time = Math.min((performance.now() - since) / 1000, take.seconds);
    show(time);
    take.progress(take.seconds > 0 ? time / take.seconds : 1);
  }
  // A slow encoder lags behind, and what it has not handed over when it is stopped is lost.
  const late = performance.now() + LONGEST_DELAY_MS;
  while (!take.signal.aborted && performance.now() < Math.min(late, lastPart + SILENCE_MS)) {
    await new Promise((done) => setTimeout(done, PART_MS));
  }
  if (recorder.state !== "inactive") recorder.stop();
  await stopped;
  for (const track of stream.getTracks()) track.stop();
  if (take.signal.aborted) return null;
  const video = new Blob(parts, { type: mimeType.split(";")[0] });
  if (video.size === 0) throw new Error("the browser recorded no frame of this view");
  return video;
}
