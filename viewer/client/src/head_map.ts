// Landmarks and regions of a head, out of the page or from the server, on the rows that the page draws.

import type { Head } from "./head";
import { address, asked } from "./jobs";
import type { HeadMap } from "./messages";
import type { Source } from "./source";

/** The map of a head; null where nobody knows it. Throws an Error with the server's words. */
export async function headMap(source: Source): Promise<HeadMap | null> {
  if (source.served) return asked<HeadMap>(address("map.json", { head: source.head }));
  const inside = document.getElementById("viewer-map");
  // A rig that was opened later than the page is another head.
  return inside === null || source.head !== "main" ? null : (JSON.parse(inside.textContent ?? "") as HeadMap);
}

/** Points that ride on a head's surface. */
export class SurfacePoints {
  /** Three numbers a point, in the head's coordinates. */
  readonly positions: Float32Array;
  private readonly corners: Uint32Array;

  constructor(
    head: Head,
    vertices: readonly number[],
    private readonly shares: readonly number[],
  ) {
    const rows = rowOfVertex(head);
    this.corners = Uint32Array.from(vertices, (vertex) => rows[vertex] ?? 0);
    this.positions = new Float32Array(vertices.length);
  }

  /** Follows the surface, whose rows are three numbers each. */
  follow(surface: Float32Array): void {
    const { corners, shares, positions } = this;
    positions.fill(0);
    corners.forEach((row, place) => {
      const point = 3 * Math.floor(place / 3);
      for (let axis = 0; axis < 3; axis++) positions[point + axis] += shares[place] * surface[3 * row + axis];
    });
  }

  /** The row nearest to each point, for its normal. */
  rowOf(point: number): number {
    const own = [0, 1, 2].map((corner) => this.shares[3 * point + corner]);
    return this.corners[3 * point + own.indexOf(Math.max(...own))];
  }
}

/** The first row of each of the file's vertices. */
export function rowOfVertex(head: Head): Uint32Array {
  const count = head.rig.positions.length / 3;
  const { source } = head.rig;
  if (source === null) return Uint32Array.from({ length: count }, (_, row) => row);
  const rows = new Uint32Array(source.reduce((most, vertex) => Math.max(most, vertex), -1) + 1);
  for (let row = count - 1; row >= 0; row--) rows[source[row]] = row;
  return rows;
}

/** What can be told apart at a time. */
export const REGION_SETS = {
  facs: { label: "FACS regions", names: ["brow", "lid", "eye", "nose", "cheek", "lip", "jaw"] },
  halves: { label: "Upper and lower", names: ["upper", "lower"] },
  still: { label: "Still skin", names: ["still"] },
} as const;
export type RegionSet = keyof typeof REGION_SETS;

/** As CSS; told apart by colour-blind readers, too (after Okabe and Ito). */
export const REGION_COLORS: Readonly<Record<string, string>> = {
  brow: "#e69f00",
  lid: "#56b4e9",
  eye: "#f4f4f4",
  nose: "#009e73",
  cheek: "#d9c928",
  lip: "#d55e00",
  jaw: "#cc79a7",
  upper: "#56b4e9",
  lower: "#e69f00",
  still: "#009e73",
};
const REST = [0.2, 0.21, 0.23];

/** Linear RGB a row: the colours of a set's regions, mixed by their masks. */
export function regionColors(head: Head, map: HeadMap, set: RegionSet): Float32Array {
  const bytes = Uint8Array.from(atob(map.regions), (letter) => letter.charCodeAt(0));
  const count = bytes.length / Math.max(map.region_names.length, 1);
  const rows = head.rig.positions.length / 3;
  const colors = new Float32Array(3 * rows);
  for (let row = 0; row < rows; row++) {
    const vertex = head.rig.source?.[row] ?? row;
    const [mixed, total] = [[0, 0, 0], { weight: 0, most: 0 }];
    for (const name of REGION_SETS[set].names) {
      const weight = (bytes[map.region_names.indexOf(name) * count + vertex] ?? 0) / 255;
      total.weight += weight;
      total.most = Math.max(total.most, weight);
      linear(REGION_COLORS[name]).forEach((channel, axis) => (mixed[axis] += weight * channel));
    }
    for (let axis = 0; axis < 3; axis++) {
      const own = total.weight > 0 ? mixed[axis] / total.weight : 0;
      colors[3 * row + axis] = REST[axis] * (1 - total.most) + own * total.most;
    }
  }
  return colors;
}

function linear(css: string): number[] {
  return [1, 3, 5].map((at) => {
    const channel = parseInt(css.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
}
