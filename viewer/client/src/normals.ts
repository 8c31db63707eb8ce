// Area-weighted vertex normals that are recomputed only where the surface moved.

/** Smooth normals of a surface whose `moved` vertices change. Vertices at one place (texture seams) share a normal. */
export class VertexNormals {
  readonly normals: Float32Array;
  private readonly fixedSums: Float32Array;
  private readonly sums: Float32Array;
  private readonly movingCorners: Uint32Array;
  private readonly movingOwners: Uint32Array;
  private readonly dirty: Uint32Array;

  /**
   * @param positions the neutral, three numbers a vertex.
   * @param indices three vertices a triangle.
   * @param moved the vertices that may move.
   * @param hints the file's own normals; where they differ, coincident vertices form a hard edge.
   */
  constructor(
    positions: Float32Array,
    indices: Uint32Array,
    moved: Uint32Array,
    hints: Float32Array | null,
    readonly owners: Uint32Array = weldedOwners(positions, hints),
  ) {
    const moves = new Uint8Array(positions.length / 3);
    for (const vertex of moved) moves[owners[vertex]] = moves[vertex] = 1;
    const moving: number[] = [];
    const fixed: number[] = [];
    for (let corner = 0; corner < indices.length; corner += 3) {
      const touched = moves[indices[corner]] | moves[indices[corner + 1]] | moves[indices[corner + 2]];
      (touched ? moving : fixed).push(indices[corner], indices[corner + 1], indices[corner + 2]);
    }
    this.normals = new Float32Array(positions.length);
    this.fixedSums = new Float32Array(positions.length);
    addTriangles(
      positions,
      Uint32Array.from(fixed),
      Uint32Array.from(fixed, (id) => owners[id]),
      this.fixedSums,
    );
    this.sums = this.fixedSums.slice();
    this.movingCorners = Uint32Array.from(moving);
    this.movingOwners = this.movingCorners.map((id) => owners[id]);
    const touchedOwners = new Set(this.movingOwners);
    const everyVertex = Uint32Array.from(owners, (_, vertex) => vertex);
    this.dirty = everyVertex;
    this.update(positions);
    this.dirty = everyVertex.filter((vertex) => touchedOwners.has(owners[vertex]));
  }

  /** Recomputes `normals` for new positions. */
  update(positions: Float32Array): void {
    const { sums, normals, owners, dirty } = this;
    sums.set(this.fixedSums);
    addTriangles(positions, this.movingCorners, this.movingOwners, sums);
    for (const vertex of dirty) {
      const start = 3 * owners[vertex];
      const x = sums[start];
      const y = sums[start + 1];
      const z = sums[start + 2];
      const scale = 1 / (Math.sqrt(x * x + y * y + z * z) || 1);
      normals[3 * vertex] = x * scale;
      normals[3 * vertex + 1] = y * scale;
      normals[3 * vertex + 2] = z * scale;
    }
  }
}

/** For each vertex the first vertex at the same place (and with the same normal, where the file gives normals). */
function weldedOwners(positions: Float32Array, hints: Float32Array | null): Uint32Array {
  const first = new Map<string, number>();
  return Uint32Array.from({ length: positions.length / 3 }, (_, vertex) => {
    const place = Array.from(positions.subarray(3 * vertex, 3 * vertex + 3));
    const facing =
      hints === null ? [] : Array.from(hints.subarray(3 * vertex, 3 * vertex + 3), (x) => Math.round(x * 50));
    const key = [...place, ...facing].join(" ");
    const owner = first.get(key) ?? vertex;
    first.set(key, owner);
    return owner;
  });
}

function addTriangles(positions: Float32Array, corners: Uint32Array, owners: Uint32Array, sums: Float32Array): void {
  for (let corner = 0; corner < corners.length; corner += 3) {
    const a = 3 * corners[corner];
    const b = 3 * corners[corner + 1];
    const c = 3 * corners[corner + 2];
    const ux = positions[b] - positions[a];
    const uy = positions[b + 1] - positions[a + 1];
    const uz = positions[b + 2] - positions[a + 2];
    const vx = positions[c] - positions[a];
    const vy = positions[c + 1] - positions[a + 1];
    const vz = positions[c + 2] - positions[a + 2];
    const nx = uy * vz - uz * vy;
    const ny = uz * vx - ux * vz;
    const nz = ux * vy - uy * vx;
    for (let side = 0; side < 3; side++) {
      const start = 3 * owners[corner + side];
      sums[start] += nx;
      sums[start + 1] += ny;
      sums[start + 2] += nz;
    }
  }
}
