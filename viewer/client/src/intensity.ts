// FACS intensity letters on the 0..1 scale: evenly spaced by convention, though FACS's own intervals are not.

export const LETTERS = ["A", "B", "C", "D", "E"] as const;
const WORDS = ["trace", "slight", "marked", "severe", "maximum"] as const;

/** Index of the letter; -1 for weights that read 0.00. */
function band(weight: number): number {
  if (weight < 0.005) return -1;
  return Math.min(Math.ceil(weight * 5 - 1e-6), 5) - 1;
}

/** "C" for weights above 0.4 up to 0.6; empty at zero. */
export function letterOf(weight: number): string {
  return LETTERS[band(weight)] ?? "";
}

/** Two digits, and never a minus before zeros. */
export function twoDigits(weight: number): string {
  return (Math.round(weight * 100) / 100 || 0).toFixed(2);
}

/** For a screen reader: "0.55, C, marked". */
export function spokenIntensity(weight: number): string {
  const index = band(weight);
  return index < 0 ? "0, neutral" : `${twoDigits(weight)}, ${LETTERS[index]}, ${WORDS[index]}`;
}
