// Recording by the microphone, where the browser and the reader allow it.

export class Microphone {
  private recorder: MediaRecorder | null = null;

  /** Whether this page may ask for a microphone at all (a secure page, and a browser that records). */
  static get available(): boolean {
    return typeof MediaRecorder !== "undefined" && navigator.mediaDevices?.getUserMedia !== undefined;
  }

  get recording(): boolean {
    return this.recorder !== null;
  }

  /** Asks for the microphone and records. Throws an Error that says why there is none. */
  async start(): Promise<void> {
    if (!Microphone.available) throw new Error("this page may not use a microphone; open a sound file instead");
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, autoGainControl: false },
      });
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      throw new Error(REASONS[error.name] ?? `the microphone does not work (${error.name})`);
    }
    this.recorder = new MediaRecorder(stream);
    this.recorder.start();
  }

  /** Ends the recording: its file's bytes. */
  async stop(): Promise<ArrayBuffer> {
    const recorder = this.recorder;
    this.recorder = null;
    if (recorder === null) throw new Error("nothing was recorded");
    const parts: Blob[] = [];
    const ended = new Promise((done) => recorder.addEventListener("stop", done, { once: true }));
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.stop();
    await ended;
    for (const track of recorder.stream.getTracks()) track.stop();
    return new Blob(parts, { type: recorder.mimeType }).arrayBuffer();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: "the microphone was not allowed; the browser's address bar lets you change that",
  NotFoundError: "no microphone was found",
  NotReadableError: "another program uses the microphone",
  SecurityError: "this page may not use a microphone",
};
