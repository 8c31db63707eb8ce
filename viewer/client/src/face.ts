// What a rig's targets mean: units with halves, pairs whose weight is a product, eyeballs that turn.

import type { Matrix } from "./glb";
import type { Target } from "./rig";

/** Two units that do not simply add: their shape's weight is the product of theirs, on each half. */
export interface Pair {
  readonly name: string;
  readonly shape: Target;
  readonly units: readonly [number, number];
}

/** A solid that turns about a pivot, by the sum of its units' rotation vectors times their weights. */
export interface RigidPart {
  readonly name: string;
  readonly side: "left" | "right";
  readonly vertices: Uint32Array;
  readonly pivot: readonly number[];
  /** Three numbers a unit, radians. */
  readonly turns: Float64Array;
}

export interface Face {
  readonly names: readonly string[];
  readonly units: readonly Target[];
  readonly pairs: readonly Pair[];
  readonly parts: readonly RigidPart[];
  /** The subject's left, up and front as unit vectors, where the eyeballs say which way is up; null elsewhere. */
  readonly axes: readonly [number[], number[], number[]] | null;
  /** The share of the subject's left half of each vertex, 0 to 1. */
  readonly share: Float32Array;
}

interface MidPlane {
  readonly normal: readonly number[];
  readonly offset: number;
  readonly blend: number;
}

/** Half width of the transition between the halves where the file says nothing, metres. */
const BLEND_M = 0.012;

/** The plane between the halves, in the file's own numbers; x = 0 where the file says nothing. */
export function midPlaneOf(extras: unknown, matrix: Matrix): MidPlane {
  const plane = field(extras, "mid_plane");
  const normal = numbers(field(plane, "normal"), 3);
  const [offset, blend] = [field(plane, "offset"), field(plane, "blend")];
  if (normal !== null && typeof offset === "number" && typeof blend === "number" && blend > 0) {
    return { normal, offset, blend };
  }
  const scale = Math.cbrt(Math.abs(determinant(matrix))) || 1;
  return { normal: [1, 0, 0], offset: 0, blend: BLEND_M / scale };
}

/** Smootherstep from the right half (0) to the left one (1), as aublend.halves. */
export function leftShare(positions: Float32Array, { normal, offset, blend }: MidPlane): Float32Array {
  return Float32Array.from({ length: positions.length / 3 }, (_, vertex) => {
    const at = 3 * vertex;
    const side = positions[at] * normal[0] + positions[at + 1] * normal[1] + positions[at + 2] * normal[2] - offset;
    const t = Math.min(Math.max((side / blend) * 0.5 + 0.5, 0), 1);
    return t * t * t * (t * (6 * t - 15) + 10);
  });
}

/**
 * Sorts a file's targets into units and pairs. Halves (AU12L beside AU12) are left out: they are made by the share.
 *
 * @param source for each row of the first mesh the vertex that it is a copy of.
 */
export function faceOf(
  targets: readonly Target[],
  share: Float32Array,
  { facet4d, matrix }: { facet4d: unknown; matrix: Matrix },
  source: Float32Array | null,
  rows: number,
): Face {
  const all = new Set(targets.map((target) => target.name));
  const factors = (name: string): string[] => (/^[^+]+\+[^+]+$/.test(name) ? name.split("+") : []);
  const isPair = (name: string): boolean => factors(name).length === 2 && factors(name).every((unit) => all.has(unit));
  const isHalf = (name: string): boolean => /^AU.*[LR]$/.test(name) && all.has(name.slice(0, -1));
  const kept = targets.filter(({ name }) => !isPair(name) && !isHalf(name));
  const names = kept.map((target) => target.name);
  const parts = rigidParts(field(facet4d, "rigid_parts"), names, matrix, source, rows);
  const fixed = new Uint8Array(rows);
  for (const part of parts) for (const vertex of part.vertices) fixed[vertex] = 1;
  const linear = (target: Target): Target => (parts.length === 0 ? target : withoutVertices(target, fixed));
  const pairs = targets
    .filter((target) => isPair(target.name))
    .map((target) => {
      const [one, other] = factors(target.name).map((unit) => names.indexOf(unit));
      return { name: target.name, shape: linear(target), units: [one, other] as const };
    });
  const axes = axesOf(parts[0], names, midPlaneOf(facet4d, matrix).normal, matrix);
  return { names, units: kept.map(linear), pairs, parts, share, axes };
}

/** AU61 turns the eyeballs about the axis that points up. */
function axesOf(
  part: RigidPart | undefined,
  names: readonly string[],
  normal: readonly number[],
  matrix: Matrix,
): Face["axes"] {
  const yaw = names.indexOf("AU61");
  if (part === undefined || yaw < 0) return null;
  const up = unit([...part.turns.subarray(3 * yaw, 3 * yaw + 3)]);
  const front = unit(cross(turned(matrix, normal), up));
  const axes: [number[], number[], number[]] = [cross(up, front), up, front];
  return axes.flat().every(Number.isFinite) ? axes : null;
}

function cross(a: readonly number[], b: readonly number[]): number[] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(vector: readonly number[]): number[] {
  const size = Math.hypot(...vector);
  return vector.map((part) => part / size);
}

function withoutVertices(target: Target, fixed: Uint8Array): Target {
  const kept = [...target.vertices.keys()].filter((entry) => fixed[target.vertices[entry]] === 0);
  if (kept.length === target.vertices.length) return target;
  const offsets = new Float32Array(3 * kept.length);
  kept.forEach((entry, place) => offsets.set(target.offsets.subarray(3 * entry, 3 * entry + 3), 3 * place));
  return {
    name: target.name,
    vertices: Uint32Array.from(kept, (entry) => target.vertices[entry]),
    offsets,
    step: target.step,
  };
}

function rigidParts(
  list: unknown,
  names: readonly string[],
  matrix: Matrix,
  source: Float32Array | null,
  rows: number,
): RigidPart[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    const pivot = numbers(field(entry, "pivot"), 3);
    const ids = field(entry, "vertex_ids");
    const vectors = field(entry, "rotation_vectors");
    if (pivot === null || !Array.isArray(ids) || typeof vectors !== "object" || vectors === null) return [];
    const turns = new Float64Array(3 * names.length);
    for (const [name, vector] of Object.entries(vectors)) {
      const turn = numbers(vector, 3);
      if (turn !== null && names.includes(name)) turns.set(turned(matrix, turn), 3 * names.indexOf(name));
    }
    const wanted = new Set(ids as number[]);
    const vertices: number[] = [];
    for (let row = 0; row < rows; row++) if (wanted.has(source?.[row] ?? row)) vertices.push(row);
    return {
      name: String(field(entry, "name")),
      side: field(entry, "side") === "left" ? ("left" as const) : ("right" as const),
      vertices: Uint32Array.from(vertices),
      pivot: [0, 1, 2].map((axis) => moved(matrix, pivot, axis) + matrix[12 + axis]),
      turns,
    };
  });
}

function moved(matrix: Matrix, vector: readonly number[], axis: number): number {
  return matrix[axis] * vector[0] + matrix[4 + axis] * vector[1] + matrix[8 + axis] * vector[2];
}

/** A rotation vector under a rotation with uniform scale. */
function turned(matrix: Matrix, vector: readonly number[]): number[] {
  const scale = Math.cbrt(determinant(matrix)) || 1;
  return [0, 1, 2].map((axis) => moved(matrix, vector, axis) / scale);
}

function determinant(m: Matrix): number {
  return m[0] * (m[5] * m[10] - m[6] * m[9]) - m[4] * (m[1] * m[10] - m[2] * m[9]) + m[8] * (m[1] * m[6] - m[2] * m[5]);
}

export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function numbers(value: unknown, count: number): number[] | null {
  const fits = Array.isArray(value) && value.length === count && value.every((each) => Number.isFinite(each));
  return fits ? (value as number[]) : null;
}
