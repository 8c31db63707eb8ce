// A pair's shape inside a file's extras, as aublend.rig_files.packed_pairs writes and reads it.

const STEPS = 32767;

/**
 * The vertices that a pair moves and how, in 16 bits and deflated.
 *
 * @param offsets three numbers a row.
 * @param source for each row the vertex that it is a copy of, where rows are not vertices.
 */
export async function packedPair(offsets: Float32Array, source: Float32Array | null): Promise<object> {
  const rowOf = new Map<number, number>();
  for (let row = 0; row < offsets.length / 3; row++) {
    const vertex = source === null ? row : source[row];
    const moves = offsets[3 * row] !== 0 || offsets[3 * row + 1] !== 0 || offsets[3 * row + 2] !== 0;
    if (moves && !rowOf.has(vertex)) rowOf.set(vertex, row);
  }
  const vertices = Uint32Array.from([...rowOf.keys()].sort((one, other) => one - other));
  const largest = offsets.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const steps = new Int16Array(3 * vertices.length);
  vertices.forEach((vertex, place) => {
    const row = rowOf.get(vertex) ?? 0;
    for (let axis = 0; axis < 3; axis++) {
      steps[3 * place + axis] = Math.round((offsets[3 * row + axis] / Math.max(largest, 1e-30)) * STEPS);
    }
  });
  return { largest, vertices: await deflated(vertices), steps: await deflated(steps) };
}

async function deflated(rows: Uint32Array | Int16Array): Promise<string> {
  const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("deflate"));
  const content = new Uint8Array(await new Response(stream).arrayBuffer());
  let text = "";
  for (let at = 0; at < content.length; at += 0x8000) text += String.fromCharCode(...content.subarray(at, at + 0x8000));
  return btoa(text);
}
