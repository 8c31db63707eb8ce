// The present pose as OBJ: the file's own vertices in their order and its own numbers, polygons where it says so.

import { Glb, type PrimitiveJson } from "./glb";
import { bySharedVertices, drawnNodes } from "./rig";
import { isPlainScale } from "./transforms";

/** @param positions of all rows, metres, as the page shows them. */
export function objText(glb: Glb, positions: Float32Array): string {
  const nodes = drawnNodes(glb);
  const scale = nodes.length === 1 && isPlainScale(nodes[0].matrix) ? nodes[0].matrix[0] : null;
  const vertices: string[] = [];
  const faces: string[] = [];
  let row = 0;
  for (const { node } of nodes) {
    const mesh = glb.json.meshes![glb.json.nodes![node].mesh!];
    for (const primitives of bySharedVertices(mesh)) {
      const { attributes } = primitives[0];
      const count = glb.accessor(attributes["POSITION"]).count;
      const source = attributes["_SOURCE_VERTEX"] === undefined ? null : glb.numbers(attributes["_SOURCE_VERTEX"]);
      const first = vertices.length;
      const vertexOf = numbering(source, count);
      vertexOf.forEach((vertex, each) => {
        const at = 3 * (row + each);
        vertices[first + vertex] ??=
          `v ${[0, 1, 2].map((axis) => shortest(positions[at + axis] / (scale ?? 1))).join(" ")}`;
      });
      for (const primitive of primitives) {
        const material = glb.json.materials?.[primitive.material ?? -1]?.name;
        if (material !== undefined) faces.push(`g ${oneWord(material)}`);
        for (const polygon of polygonsOf(glb, primitive, count)) {
          faces.push(`f ${polygon.map((corner) => first + vertexOf[corner] + 1).join(" ")}`);
        }
      }
      row += count;
    }
  }
  const unit = scale === null ? "metres" : `the file's own unit (${scale} m)`;
  return [`# facet4d viewer, ${unit}`, ...vertices, ...faces, ""].join("\n");
}

/** The vertex of each row: copies that seams made share one; null or anything but a numbering leaves rows as they are. */
function numbering(source: Float32Array | null, count: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  if (source === null) return rows;
  const vertices = new Set(source);
  const whole = [...vertices].every((vertex) => Number.isInteger(vertex) && vertex >= 0 && vertex < vertices.size);
  return whole ? Array.from(source) : rows;
}

/** Fans of triangles that share a first corner are one polygon where the primitive's extras mark their beginnings. */
function polygonsOf(glb: Glb, primitive: PrimitiveJson, count: number): number[][] {
  const corners =
    primitive.indices === undefined
      ? Array.from({ length: count }, (_, row) => row)
      : [...glb.indices(primitive.indices)];
  const marks = startMarks(primitive.extras?.polygon_starts);
  const polygons: number[][] = [];
  for (let triangle = 0; 3 * triangle + 2 < corners.length; triangle++) {
    const [a, b, c] = corners.slice(3 * triangle, 3 * triangle + 3);
    const before = polygons[polygons.length - 1];
    const goesOn = marks !== null && triangle > 0 && !marks(triangle) && before[0] === a && before.at(-1) === b;
    if (goesOn) before.push(c);
    else polygons.push([a, b, c]);
  }
  return polygons;
}

function startMarks(text: unknown): ((triangle: number) => boolean) | null {
  if (typeof text !== "string") return null;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return (triangle) => ((bytes[triangle >> 3] ?? 0xff) & (0x80 >> (triangle & 7))) !== 0;
}

function oneWord(name: string): string {
  return name.replace(/[^\w.-]+/g, "_") || "part";
}

/** Float32's seven digits and one more. */
function shortest(value: number): string {
  return String(Number(value.toPrecision(8)));
}
