// Curves in and out as CSV: ours (time_s, AU1, ...) and Live Link Face's. Columns are found by name, never by place.

import { poseFromArkit } from "./arkit";
import type { ViewerMetadata } from "./messages";
import { addWeight, columnOf, isSided, restPose, type Pose } from "./pose";

export interface Frames {
  /** Seconds from the first row, ascending. */
  readonly times: readonly number[];
  readonly poses: readonly Pose[];
  /** Columns that move nothing on this head. */
  readonly ignored: readonly string[];
}

const TIME = "time_s";
const TIMECODE = "timecode";
const DAY_S = 86400;

/** Reads either format; throws an Error that names the line. */
export function readCurves(text: string, metadata: ViewerMetadata, units: readonly string[]): Frames {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const header = (lines[0] ?? "").split(",").map((name) => name.trim());
  const rows = lines
    .map((line, place) => ({ cells: line.split(",").map((cell) => cell.trim()), line: place + 1 }))
    .slice(1)
    .filter(({ cells }) => cells.some((cell) => cell !== ""));
  if (rows.length === 0) throw new Error("the file has no rows");
  const short = rows.find(({ cells }) => cells.length !== header.length);
  if (short !== undefined) {
    throw new Error(`line ${short.line}: expected ${header.length} cells, found ${short.cells.length}`);
  }
  if (header.includes(TIME)) return ownFrames(header, rows, units);
  if (header.some((name) => name.toLowerCase() === TIMECODE)) return liveLinkFrames(header, rows, metadata, units);
  throw new Error("line 1: expected the header of our curves (time_s, AU1, ...) or of Live Link Face (Timecode, ...)");
}

interface Row {
  readonly cells: readonly string[];
  readonly line: number;
}

function ownFrames(header: readonly string[], rows: readonly Row[], units: readonly string[]): Frames {
  const columns = header.map((name) => (name === TIME ? null : columnOf(name, units)));
  const times = rows.map((row) => cellNumber(row, header.indexOf(TIME), TIME));
  checkRising(times, rows);
  const poses = rows.map((row) => {
    const pose = restPose(units.length);
    columns.forEach((column, place) => {
      if (column !== null) addWeight(pose, column, cellNumber(row, place, header[place]));
    });
    return pose;
  });
  return { times, poses, ignored: header.filter((name, place) => name !== TIME && columns[place] === null) };
}

function liveLinkFrames(
  header: readonly string[],
  rows: readonly Row[],
  metadata: ViewerMetadata,
  units: readonly string[],
): Frames {
  const lower = header.map((name) => name.toLowerCase());
  const places = metadata.arkit_shapes.map((name) => [name, lower.indexOf(name.toLowerCase())] as const);
  const lacking = places.filter(([name, place]) => place < 0 && name !== "tongueOut").map(([name]) => name);
  if (lacking.length > 0) throw new Error(`line 1: the file lacks ${lacking.slice(0, 5).join(", ")}`);
  const times = timecodes(rows, lower.indexOf(TIMECODE));
  checkRising(times, rows);
  const filled = rows.filter((row) => places.every(([, place]) => place < 0 || row.cells[place] !== ""));
  if (filled.length === 0) throw new Error("every row has empty cells");
  const chosen = new Set(filled);
  const poses = filled.map((row) => {
    const shapes = new Map(
      places.filter(([, place]) => place >= 0).map(([name, place]) => [name, cellNumber(row, place, name)]),
    );
    return poseFromArkit(metadata, units, shapes);
  });
  return { times: times.filter((_, place) => chosen.has(rows[place])), poses, ignored: [] };
}

/** Seconds of HH:MM:SS:FF.sss; FF counts sixtieths, unless a take of seconds shows that it ends at 24, 25 or 30. */
function timecodes(rows: readonly Row[], place: number): number[] {
  const parts = rows.map(({ cells, line }) => {
    const match = /^(\d{1,2}):([0-5]?\d):([0-5]?\d)[:;](\d{1,3}(?:\.\d{1,9})?)$/.exec(cells[place]);
    if (match === null) throw new Error(`line ${line}: expected a time code HH:MM:SS:FF.sss, found ${cells[place]}`);
    const [hours, minutes, seconds, ticks] = match.slice(1).map(Number);
    return { whole: hours * 3600 + minutes * 60 + seconds, ticks };
  });
  const highest = parts.reduce((most, { ticks }) => Math.max(most, Math.floor(ticks)), 0);
  const enough = new Set(parts.map(({ whole }) => whole)).size >= 3;
  const base = (enough ? [24, 25, 30].find((each) => highest < each) : undefined) ?? Math.max(60, highest + 1);
  let days = 0;
  return parts.map(({ whole, ticks }, row) => {
    if (row > 0 && whole < parts[row - 1].whole - DAY_S / 2) days++;
    return whole + ticks / base + days * DAY_S;
  });
}

function cellNumber({ cells, line }: Row, place: number, name: string): number {
  const value = Number(cells[place]);
  if (cells[place] === "" || !Number.isFinite(value)) {
    throw new Error(`line ${line}, column ${name}: expected a number, found ${JSON.stringify(cells[place])}`);
  }
  return value;
}

function checkRising(times: readonly number[], rows: readonly Row[]): void {
  const wrong = times.findIndex((time, row) => row > 0 && time <= times[row - 1]);
  if (wrong > 0) throw new Error(`line ${rows[wrong].line}: expected a later time than in the line before`);
}

/** Our CSV of poses at a frame rate: a column a unit, two where its halves differ, none where it rests. */
export function writeCurves(poses: readonly Pose[], fps: number, units: readonly string[]): string {
  const columns = units.flatMap((name, unit) => {
    const right = unit + units.length;
    if (poses.every((pose) => pose[unit] === 0 && pose[right] === 0)) return [];
    if (!isSided(name) || poses.every((pose) => pose[unit] === pose[right])) return [[name, unit] as const];
    return [[`${name}L`, unit] as const, [`${name}R`, right] as const];
  });
  const lines = poses.map((pose, frame) =>
    [(frame / fps).toFixed(6), ...columns.map(([, place]) => pose[place].toFixed(5))].join(","),
  );
  return [[TIME, ...columns.map(([name]) => name)].join(","), ...lines, ""].join("\n");
}
