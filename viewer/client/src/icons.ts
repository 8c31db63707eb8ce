// Small line icons, drawn in the colour of the text around them.

const PATHS = {
  lock: "M5 7V5a3 3 0 0 1 6 0v2M4 7h8v6H4z",
  unlock: "M5 7V4.5a3 3 0 0 1 5.6-1.5M4 7h8v6H4z",
  add: "M8 3v10M3 8h10",
  remove: "M4 4l8 8M12 4l-8 8",
  sound: "M3 6v4h2.5L9 13V3L5.5 6zM11 6a3 3 0 0 1 0 4M12.6 4.2a5.5 5.5 0 0 1 0 7.6",
  microphone: "M8 2a2 2 0 0 1 2 2v4a2 2 0 0 1-4 0V4a2 2 0 0 1 2-2zM4 8a4 4 0 0 0 8 0M8 12v2",
  zoomIn: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8M10 10l3.5 3.5M5 7h4M7 5v4",
  zoomOut: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8M10 10l3.5 3.5M5 7h4",
  loop: "M3 8V6.5A2.5 2.5 0 0 1 5.5 4H13M11 2l2 2-2 2M13 8v1.5a2.5 2.5 0 0 1-2.5 2.5H3M5 10l-2 2 2 2",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  paste: "M5 3.5H3.5v10h9v-10H11M5.5 2.5h5v2.5h-5zM8 7v4M6 9l2 2 2-2",
  bin: "M3 4.5h10M6 4V2.5h4V4M4.5 4.5l.6 9h5.8l.6-9M7 7v4M9 7v4",
  fit: "M2 4v8M14 4v8M4.5 8h7M6 6L4 8l2 2M10 6l2 2-2 2",
} as const;
export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const made = document.createElementNS(SVG, "svg");
  for (const [key, value] of [
    ["viewBox", "0 0 16 16"],
    ["aria-hidden", "true"],
    ["class", "icon"],
  ]) {
    made.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  made.append(path);
  return made;
}
