// Samples as what is drawn and sent: lowest and highest values over time, and a WAV file.

/** Lowest and highest sample of each stretch of time. */
export interface Peaks {
  readonly low: Float32Array;
  readonly high: Float32Array;
  /** Stretches a second. */
  readonly rate: number;
}

const PEAKS_HZ = 400;

export function peaksOf(samples: Float32Array, rate: number): Peaks {
  const size = Math.max(Math.round(rate / PEAKS_HZ), 1);
  const count = Math.ceil(samples.length / size);
  const [low, high] = [new Float32Array(count), new Float32Array(count)];
  for (let place = 0; place < count; place++) {
    const end = Math.min((place + 1) * size, samples.length);
    let [least, most] = [0, 0];
    for (let sample = place * size; sample < end; sample++) {
      if (samples[sample] < least) least = samples[sample];
      else if (samples[sample] > most) most = samples[sample];
    }
    [low[place], high[place]] = [least, most];
  }
  return { low, high, rate: rate / size };
}

/** The lowest and highest value between two times. */
export function peakBetween(peaks: Peaks, from: number, to: number): [number, number] {
  const first = Math.max(Math.floor(from * peaks.rate), 0);
  const last = Math.min(Math.max(Math.ceil(to * peaks.rate), first + 1), peaks.low.length);
  let [low, high] = [0, 0];
  for (let place = first; place < last; place++) {
    low = Math.min(low, peaks.low[place]);
    high = Math.max(high, peaks.high[place]);
  }
  return [low, high];
}

/** A WAV file of one channel in 16 bits. */
export function wavFile(samples: Float32Array, rate: number): ArrayBuffer {
  const file = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at: number, letters: string): void =>
    [...letters].forEach((letter, place) => file.setUint8(at + place, letter.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true);
  file.setUint16(22, 1, true);
  file.setUint32(24, rate, true);
  file.setUint32(28, 2 * rate, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, place) => {
    file.setInt16(44 + 2 * place, Math.min(Math.max(Math.round(32768 * value), -32768), 32767), true);
  });
  return file.buffer;
}
