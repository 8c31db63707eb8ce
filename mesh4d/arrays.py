"""Array type aliases: one letter per axis, the same letters everywhere (see CONVENTIONS.md).

B batch, T frames, N views, V vertices, F faces, A action units, C channels, D features,
K classes, L landmarks, H and W image rows and columns.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Vertices = Float[np.ndarray, "V 3"]
Normals = Float[np.ndarray, "V 3"]
FrameVertices = Float[np.ndarray, "T V 3"]
Faces = Int[np.ndarray, "F 3"]
Points = Float[np.ndarray, "P 3"]
Rotation = Float[np.ndarray, "3 3"]
PerVertex = Float[np.ndarray, " V"]
VertexMask = Bool[np.ndarray, " V"]
VertexIds = Int[np.ndarray, " M"]
Images = Float[np.ndarray, "N H W C"]
ByteImage = UInt8[np.ndarray, "H W C"]
