// Phones in time: a row of sounds without gaps, whose boundaries the reader moves.

import type { SpokenPhone } from "./messages";

export const SILENCE = "SIL";
/** No phone becomes shorter. */
export const SHORTEST_S = 0.02;

/**
 * The phones with the boundary after one of them at another time: between its neighbours' boundaries, SHORTEST_S off.
 */
export function withBoundary(phones: readonly SpokenPhone[], after: number, time: number): readonly SpokenPhone[] {
  const [before, next] = [phones[after], phones[after + 1]];
  const low = Math.min(before.start_s + SHORTEST_S, before.end_s);
  const high = Math.max(next.end_s - SHORTEST_S, before.end_s);
  const at = Math.min(Math.max(time, low), high);
  if (at === before.end_s && at === next.start_s) return phones;
  return phones.map((phone, place) =>
    place === after ? { ...phone, end_s: at } : place === after + 1 ? { ...phone, start_s: at } : phone,
  );
}

/** The phones with another sound in the place of one, which the reader is sure of; null for what is no phone. */
export function withSymbol(
  phones: readonly SpokenPhone[],
  place: number,
  symbol: string,
  known: readonly string[],
): readonly SpokenPhone[] | null {
  const name = symbol.trim().toUpperCase() || SILENCE;
  if (!known.includes(name)) return null;
  if (name === phones[place].symbol) return phones;
  return phones.map((phone, at) => (at === place ? { ...phone, symbol: name, confidence: 1 } : phone));
}

/** What the reader reads: nothing for silence. */
export function phoneLabel(phone: SpokenPhone): string {
  return phone.symbol === SILENCE ? "" : phone.symbol;
}
