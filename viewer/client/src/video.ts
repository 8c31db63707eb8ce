// The stage as a video: what its canvas draws while time runs, through the browser's own recorder.

const LONGEST_DELAY_MS = 8000;
const BITS_PER_SECOND = 12_000_000;
const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

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
  const stream = canvas.captureStream(take.fps);
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
  const parts: Blob[] = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const stopped = new Promise<void>((done, failed) => {
    recorder.addEventListener("stop", () => done());
    recorder.addEventListener("error", () => failed(new Error("the browser broke off the recording")));
  });
  take.show(0);
  recorder.start(250);
  const since = performance.now();
  let time = 0;
  while (time < take.seconds && !take.signal.aborted && recorder.state === "recording") {
    await new Promise((done) => setTimeout(done, 1000 / take.fps));
    time = Math.min((performance.now() - since) / 1000, take.seconds);
    take.show(time);
    take.progress(take.seconds > 0 ? time / take.seconds : 1);
  }
  await new Promise((done) => setTimeout(done, 2000 / take.fps)); // the last frame must reach the recorder
  const late = performance.now() + LONGEST_DELAY_MS;
  while (!take.signal.aborted && parts.every((part) => part.size === 0) && performance.now() < late) {
    take.show(take.seconds); // a busy machine hands over its first frame late
    await new Promise((done) => setTimeout(done, 100));
  }
  if (recorder.state !== "inactive") recorder.stop();
  await stopped;
  for (const track of stream.getTracks()) track.stop();
  if (take.signal.aborted) return null;
  const video = new Blob(parts, { type: mimeType.split(";")[0] });
  if (video.size === 0) throw new Error("the browser recorded no frame of this view");
  return video;
}
