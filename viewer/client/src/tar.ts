// Several files as one: an uncompressed tar, whose parts the browser need not read.

const BLOCK = 512;
const LONGEST_NAME = 99;

export function tar(files: readonly File[]): Blob {
  const parts: BlobPart[] = [];
  for (const file of files) {
    parts.push(header(file) as BlobPart, file, new Uint8Array((BLOCK - (file.size % BLOCK)) % BLOCK));
  }
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
}

/** The old header, which every reader knows; names are cut from the front, since frames differ at the end. */
function header(file: File): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const text = (at: number, content: string): void => block.set(new TextEncoder().encode(content), at);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, "0")}\0`;
  text(0, file.name.replace(/[^\w.-]/g, "_").slice(-LONGEST_NAME));
  text(100, octal(0o644, 8));
  text(108, octal(0, 8));
  text(116, octal(0, 8));
  text(124, octal(file.size, 12));
  text(136, octal(0, 12));
  text(148, "        ");
  text(156, "0");
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
