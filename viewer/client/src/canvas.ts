// Canvases that fill their place at the screen's own resolution and take their colours from the style sheet.

/** Keeps a canvas as large as its box; `draw` is called when it changed and when the colour scheme did. */
export function fitCanvas(canvas: HTMLCanvasElement, draw: () => void): () => void {
  const watch = new ResizeObserver(draw);
  watch.observe(canvas);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  return () => {
    watch.disconnect();
    scheme.removeEventListener("change", draw);
  };
}

/** A cleared context in CSS pixels, and its size; null while the canvas has no box. */
export function prepared(
  canvas: HTMLCanvasElement,
): { pen: CanvasRenderingContext2D; width: number; height: number } | null {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const pen = canvas.getContext("2d");
  if (pen === null || width === 0 || height === 0) return null;
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Reads the style sheet's colours once a drawing. */
export function colorsOf(host: Element): (name: string) => string {
  const style = getComputedStyle(host);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}
