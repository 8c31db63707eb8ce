// Keeps sounds in the browser, so that a page that is opened again has them; nothing where the page may not store.

const DATABASE = "facet4d sounds";
const STORE = "sounds";
const KEPT = 8;
const LARGEST_BYTES = 64 << 20;

export interface KeptSound {
  readonly fingerprint: string;
  readonly name: string;
  readonly bytes: ArrayBuffer;
  /** When it was kept, in milliseconds. */
  readonly at: number;
}

/** Keeps a sound, and lets go of the oldest beyond some. */
export async function keepSound(fingerprint: string, name: string, bytes: ArrayBuffer): Promise<void> {
  if (bytes.byteLength > LARGEST_BYTES) return;
  await inStore("readwrite", async (store) => {
    await done(store.put({ fingerprint, name, bytes, at: Date.now() } satisfies KeptSound));
    const kept = (await done(store.index("at").getAllKeys())) as string[];
    for (const old of kept.slice(0, Math.max(kept.length - KEPT, 0))) store.delete(old);
  });
}

/** A sound that was kept; null when it was not. */
export async function keptSound(fingerprint: string): Promise<KeptSound | null> {
  const found = await inStore("readonly", (store) => done<KeptSound | undefined>(store.get(fingerprint)));
  return found ?? null;
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T | null> {
  let database: IDBDatabase | null = null;
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () =>
      opening.result.createObjectStore(STORE, { keyPath: "fingerprint" }).createIndex("at", "at");
    database = await done(opening);
    return await work(database.transaction(STORE, mode).objectStore(STORE));
  } catch (error) {
    if (error instanceof DOMException) return null; // refused, or full
    throw error;
  } finally {
    database?.close();
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((found, failed) => {
    request.onsuccess = () => found(request.result);
    request.onerror = () => failed(request.error);
  });
}
