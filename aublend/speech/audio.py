"""Audio in: any file libsndfile reads, as one channel at the recogniser's rate, within bounded memory."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from mesh4d.errors import MeshError, MeshFormatError

RATE_HZ = 16_000
"""What the acoustic model was trained at; it carries all that shapes a mouth."""
LONGEST_S = 3600.0
BLOCK_S = 10.0
LOUDNESS_HZ = 100
"""Loudness is measured this often."""
OPPOSITE, HEARD = -0.9, 1e-4
"""Channels that correlate by less than the first are one sound in opposite phase; both must exceed the second."""
FLOOR_DB = -75.0
"""Below this a recording counts as silent, relative to full scale."""


@dataclass(frozen=True)
class Audio:
    """One channel, -1 to 1, at RATE_HZ."""

    samples: Float[np.ndarray, " S"]
    source: str = ""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ


def read_audio(path: str | PathLike[str]) -> Audio:
    """Read .wav, .flac, .ogg, .mp3 and whatever else libsndfile knows; channels are averaged, the rate changed.

    Channels in opposite phase, which would cancel each other, are turned to the first one's.

    The file is read by blocks of BLOCK_S seconds: memory holds one block and the result (64 kB a second).

    Raises:
        MeshFormatError: when the file is no audio, holds nothing, or is longer than LONGEST_S.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with soundfile.SoundFile(path) as file:
            seconds = file.frames / file.samplerate if file.samplerate else 0.0
            if seconds > LONGEST_S:
                raise MeshFormatError(path, "duration", f"at most {LONGEST_S:.0f} s", f"{seconds:.0f} s")
            samples = _resampled_blocks(file, str(path))
    except soundfile.LibsndfileError as error:
        raise MeshFormatError(path, "file", "audio (wav, flac, ogg, mp3)", str(error)[:200]) from error
    return Audio(samples, str(path))


def audio_from_array(samples: Float[np.ndarray, "..."], rate_hz: float | int) -> Audio:
    """Audio from samples at any rate: one axis, or samples by channels.

    Raises:
        MeshError: for values that are not finite, a rate that is not positive, or more than two axes.
    """
    import soxr

    if samples.ndim not in (1, 2) or not rate_hz > 0:
        raise MeshError(f"expected samples (S,) or (S, C) and a positive rate, found {samples.shape} at {rate_hz} Hz")
    mono = samples.astype(np.float32) if samples.ndim == 1 else samples.astype(np.float32).mean(axis=1)
    if not np.isfinite(mono).all():
        raise MeshError("audio samples must be finite numbers")
    if len(mono) / rate_hz > LONGEST_S:
        raise MeshError(f"audio may last {LONGEST_S:.0f} s at most, found {len(mono) / rate_hz:.0f} s")
    return Audio(np.clip(soxr.resample(mono, rate_hz, RATE_HZ), -1, 1).astype(np.float32))


def loudness_db(audio: Audio) -> Float[np.ndarray, " N"]:
    """Short-time level in dB relative to full scale, LOUDNESS_HZ times a second (25 ms Gaussian window)."""
    hop = RATE_HZ // LOUDNESS_HZ
    count = max(len(audio.samples) // hop, 1)
    power = np.zeros(count)
    whole = audio.samples[: count * hop]
    if len(whole) == count * hop:
        power = np.square(whole.reshape(count, hop), dtype=np.float64).mean(axis=1)
    power = gaussian_filter1d(power, 1.25, mode="nearest")
    return 10 * np.log10(np.maximum(power, 1e-10))


def relative_loudness(audio: Audio, times_s: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """Loudness against the recording's own speech level: 0 at 25 dB below it, 1 at it, up to 1.3 above.

    The reference is the 90th percentile of the frames above FLOOR_DB; a silent recording is 0 throughout.
    """
    level = loudness_db(audio)
    heard = level[level > FLOOR_DB]
    if len(heard) == 0:
        return np.zeros(len(times_s))
    relative = np.clip(1 + (level - np.percentile(heard, 90)) / 25.0, 0, 1.3)
    smooth = gaussian_filter1d(relative, 0.04 * LOUDNESS_HZ, mode="nearest")
    return np.interp(times_s, (np.arange(len(smooth)) + 0.5) / LOUDNESS_HZ, smooth)


def _resampled_blocks(file, name: str) -> np.ndarray:
    """The whole file, mono, at RATE_HZ, by a resampler that carries its state from block to block."""
    import soxr

    stream = soxr.ResampleStream(file.samplerate, RATE_HZ, 1, dtype="float32")
    block = max(int(BLOCK_S * file.samplerate), 1)
    parts: list[np.ndarray] = []
    signs: np.ndarray | None = None
    bar = tqdm(total=file.frames, desc="audio", unit="sample", unit_scale=True, leave=False, delay=2)
    with bar:
        while True:
            data = file.read(block, dtype="float32", always_2d=True)
            if not np.isfinite(data).all():
                raise MeshFormatError(name, "samples", "finite numbers", "NaN or infinity")
            if signs is None and np.abs(data).max(initial=0.0) > HEARD:
                signs = _phases(data)
            mono = data.mean(axis=1) if signs is None else data @ signs
            parts.append(stream.resample_chunk(mono, last=len(data) < block))
            bar.update(len(data))
            if len(data) < block:
                break
            if sum(len(part) for part in parts) > LONGEST_S * RATE_HZ:
                raise MeshFormatError(name, "duration", f"at most {LONGEST_S:.0f} s", "more")
    samples = np.concatenate(parts)
    if len(samples) == 0:
        raise MeshFormatError(name, "samples", "at least one", "none")
    return np.clip(samples, -1, 1)


def _phases(data: Float[np.ndarray, "S C"]) -> Float[np.ndarray, " C"]:
    """Each channel's share of the average: negative where it is in opposite phase to the first."""
    first = data[:, 0]
    products = first @ data
    power = np.sqrt(np.square(data).sum(axis=0) * (first @ first))
    signs = np.where(products < OPPOSITE * np.maximum(power, 1e-12), -1.0, 1.0)
    return (signs / data.shape[1]).astype(np.float32)
