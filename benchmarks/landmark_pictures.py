"""Pictures of landmarks on heads: found ones red, labels green, from three sides of the face they describe."""

import numpy as np
from PIL import Image, ImageDraw

from mesh4d.geometry.rigid import similarity_align
from mesh4d.landmarks.weights import shipped_model
from mesh4d.mesh import Mesh
from mesh4d.render import CameraRig, Framing, render_views

YAWS_DEG = (0.0, 42.0, -75.0)


def draw(mesh: Mesh, found: np.ndarray, labels: np.ndarray | None, path: str, size: int = 420) -> None:
    """Write a strip of three shaded views with dots."""
    to_face = similarity_align(found, shipped_model().shapes.mean)
    upright = Mesh(to_face.apply(mesh.vertices), mesh.faces)
    sets = [(found, (255, 40, 40))] if labels is None else [(labels, (60, 255, 60)), (found, (255, 40, 40))]
    rig = CameraRig("strip", YAWS_DEG, (0.0,) * len(YAWS_DEG))
    framing = Framing(to_face.apply(found).mean(axis=0), 105.0)
    views = render_views(upright, rig, size, ("shaded",), framing=framing)
    strip = Image.new("RGB", (size * len(YAWS_DEG), size))
    for number, camera in enumerate(rig.cameras(framing)):
        picture = Image.fromarray((255 * views.images[number].clip(0, 1)).astype(np.uint8))
        pen = ImageDraw.Draw(picture)
        for points, color in sets:
            for x, y in camera.project(to_face.apply(points), size)[0]:
                pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill=color)
        strip.paste(picture, (number * size, 0))
    strip.save(path)
