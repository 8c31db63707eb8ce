"""Smooth random fields in space: sums of plane waves, the stuff of head shapes and drifts that no table has."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WAVES = 12


@dataclass(frozen=True)
class SmoothField:
    """C components of standard deviation 1, alike at points much nearer than the wavelengths."""

    waves: Float[np.ndarray, "W 3"]
    """Radians per mm."""
    phases: Float[np.ndarray, "W C"]
    amplitudes: Float[np.ndarray, "W C"]

    @classmethod
    def drawn(cls, wavelength_mm: tuple[float, float], components: int, rng: np.random.Generator) -> "SmoothField":
        """A field whose waves run any way, with wavelengths from a range, evenly on a logarithmic scale."""
        directions = rng.normal(size=(WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        shortest, longest = np.log(wavelength_mm)
        lengths = np.exp(rng.uniform(shortest, longest, WAVES))
        amplitudes = rng.normal(size=(WAVES, components))
        amplitudes *= np.sqrt(2.0 / np.sum(amplitudes**2, axis=0))  # a cosine's mean square is one half
        phases = rng.uniform(0, 2 * np.pi, (WAVES, components))
        return cls(directions * (2 * np.pi / lengths)[:, None], phases, amplitudes)

    def at(self, points: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V C"]:
        """The field's value at each point, mm."""
        angles = (points @ self.waves.T)[:, :, None] + self.phases
        return (np.cos(angles) * self.amplitudes).sum(axis=1)
