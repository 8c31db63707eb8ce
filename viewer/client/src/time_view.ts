// Which span of time the lanes show; all of them alike.

const SHORTEST_S = 0.2;
const STEP = 1.5;

export class TimeView {
  start = 0;
  end = 1;
  private seconds = 1;

  /** @param changed the lanes must be drawn again. */
  constructor(private readonly changed: () => void) {}

  /** Takes a length; a view of everything stays one. */
  setSeconds(seconds: number): void {
    if (seconds === this.seconds && this.end <= seconds) return;
    const whole = !this.zoomed;
    this.seconds = seconds;
    if (whole) [this.start, this.end] = [0, seconds];
    else this.set(this.start, Math.min(this.end, seconds));
  }

  get zoomed(): boolean {
    return this.start > 1e-9 || this.end < this.seconds - 1e-9;
  }

  /** 0 at the left end, 1 at the right one. */
  share(time: number): number {
    return (time - this.start) / (this.end - this.start);
  }

  time(share: number): number {
    return this.start + share * (this.end - this.start);
  }

  percent(time: number): string {
    return `${(100 * this.share(time)).toFixed(4)}%`;
  }

  shows(time: number): boolean {
    return time >= this.start - 1e-9 && time <= this.end + 1e-9;
  }

  zoom(factor: number, about: number): void {
    const span = Math.min(Math.max((this.end - this.start) / factor, SHORTEST_S), this.seconds);
    const start = about - ((about - this.start) / (this.end - this.start)) * span;
    this.set(start, start + span);
    this.changed();
  }

  zoomIn(about: number): void {
    this.zoom(STEP, about);
  }

  zoomOut(about: number): void {
    this.zoom(1 / STEP, about);
  }

  fit(): void {
    this.set(0, this.seconds);
    this.changed();
  }

  pan(seconds: number): void {
    const span = this.end - this.start;
    const start = Math.min(Math.max(this.start + seconds, 0), this.seconds - span);
    if (start === this.start) return;
    this.set(start, start + span);
    this.changed();
  }

  /** Turns the page when the time has left it. */
  follow(time: number): void {
    if (!this.zoomed || this.shows(time)) return;
    this.pan(time - this.start - (time < this.start ? 0.9 : 0.05) * (this.end - this.start));
  }

  /** Wheel over a lane: zooms about the pointer; with shift, or sideways, moves. */
  listen(lane: HTMLElement): void {
    lane.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = lane.getBoundingClientRect();
        const along = event.shiftKey ? event.deltaY : event.deltaX;
        if (along !== 0) this.pan((along / box.width) * (this.end - this.start));
        else this.zoom(Math.exp(-event.deltaY / 400), this.time((event.clientX - box.left) / box.width));
      },
      { passive: false },
    );
  }

  private set(start: number, end: number): void {
    const span = Math.max(Math.min(end - start, this.seconds), Math.min(SHORTEST_S, this.seconds));
    this.start = Math.min(Math.max(start, 0), this.seconds - span);
    this.end = this.start + span;
  }
}

/** A step between the marks of a ruler so that they stand at least `apart` pixels from each other. */
export function rulerStep(secondsPerPixel: number, apart: number): number {
  const least = secondsPerPixel * apart;
  return (
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((step) => step >= least) ?? 1800
  );
}
