"""Motion made larger in pictures: for raw scans, whose frames share no vertices but, once aligned, their pixels.

Where vertices correspond, `mesh4d.magnification` does the same exactly.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter

from facet_vlm.faces.inputs import BANDS
from mesh4d.errors import MeshError
from mesh4d.magnification import saturated

NORMAL_LIMIT = 0.7
"""Change of a normal, as a chord, up to which it is enlarged."""
DEPTH_LIMIT = 0.2
"""The same for depth, whose range is -1 to 1."""
SMOOTH_S = 0.04
"""Standard deviation of the smoothing over time: less than a micro-expression's rise."""
SMOOTH_SHARE = 0.0125
"""Standard deviation of the smoothing along rows and columns, as a share of the picture's side."""
EMPTY_DEPTH = 255
"""The byte of empty space."""


def magnified_pictures(
    pictures: UInt8[np.ndarray, "T N 3 H W"], times_s: Float[np.ndarray, " T"], factor: float, onset: int = 0
) -> UInt8[np.ndarray, "T N 3 H W"]:
    """The onset's pictures with each frame's difference to them made larger; bands of the inputs `geometry`.

    Differences are smoothed over time and across pixels, so that noise is not enlarged with them, then lengthened as
    `mesh4d.magnification.saturated` says. Pixels that see a face in one of the two frames only show the frame as it
    is.

    Convention: the frames are aligned; a head that turns would be enlarged like an expression.

    Raises:
        MeshError: an onset or a factor out of range.
    """
    if not 0 <= onset < len(pictures) or not factor > 0:
        raise MeshError(
            f"expected an onset from 0 to {len(pictures) - 1} and a positive factor, found {onset}, {factor}"
        )
    values = pictures.astype(np.float32) / 127.5 - 1.0
    depth = BANDS["geometry"].index("depth")
    seen = pictures[:, :, depth] < EMPTY_DEPTH
    both = seen & seen[onset]
    change = _smoothed((values - values[onset]) * both[:, :, None], both, times_s, onset)
    change = np.moveaxis(change, 2, -1)
    normals = saturated(np.ascontiguousarray(change[..., :depth]), factor, NORMAL_LIMIT)
    depths = saturated(np.ascontiguousarray(change[..., depth:]), factor, DEPTH_LIMIT)
    larger = values[onset] + np.moveaxis(np.concatenate([normals, depths], axis=-1), -1, 2)
    shown = np.where(both[:, :, None], _as_normals(larger, depth), values)
    return np.rint(np.clip(shown, -1.0, 1.0) * 127.5 + 127.5).astype(np.uint8)


def _smoothed(
    change: Float[np.ndarray, "T N C H W"],
    known: Bool[np.ndarray, "T N H W"],
    times_s: Float[np.ndarray, " T"],
    onset: int,
) -> Float[np.ndarray, "T N C H W"]:
    """Weighted means over near times and near pixels where a difference is known; 0 at the onset."""
    near = np.exp(-0.5 * ((times_s[:, None] - times_s) / SMOOTH_S) ** 2).astype(np.float32)
    sigma = (0, 0, *[SMOOTH_SHARE * change.shape[-1]] * 2)
    weight = gaussian_filter(np.tensordot(near, known.astype(np.float32), 1), sigma)
    total = gaussian_filter(np.tensordot(near, change, 1), (0, *sigma))
    mean = total / np.maximum(weight, 1e-3)[:, :, None]
    return mean - mean[onset]


def _as_normals(values: Float[np.ndarray, "T N C H W"], depth: int) -> Float[np.ndarray, "T N C H W"]:
    """Normal components cut back to length 1 where enlarging has made them longer."""
    length = np.sqrt(np.square(values[:, :, :depth]).sum(axis=2, keepdims=True))
    return np.concatenate([values[:, :, :depth] / np.maximum(length, 1.0), values[:, :, depth:]], axis=2)
