"""Seven views of one head: ours beside trimesh's ray casting (Embree where installed) and Open3D's when it imports.

The bound stated beside the times is what moving the data alone would take: every vertex read once per view, every
pixel written once, at this machine's measured copy speed.
"""

import numpy as np

from benchmarks.read_meshes import grid_head
from benchmarks.timing import Timing, best_of, table
from mesh4d import Mesh, render_views
from mesh4d.render import camera_rig, frame_of

SIZE = 224


def bound(mesh: Mesh, bands: int, n_views: int) -> Timing:
    """The time to read the vertices and write the pixels once at memory speed."""
    block = np.ones(32 << 20, np.uint8)
    copy = best_of("copy", block.copy).seconds / (2 * block.nbytes)
    traffic = n_views * (mesh.n_vertices * 3 * 8 + SIZE * SIZE * bands * 4)
    return Timing("memory bound", traffic * copy)


def open3d_casting(mesh: Mesh) -> Timing | None:
    """Depth and triangle ids by Open3D's RaycastingScene, when it can be imported."""
    try:
        import open3d
    except (ImportError, OSError):
        return None
    framing, rig = frame_of(mesh), camera_rig("fer7")
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    rays = []
    for camera in rig.cameras(framing):
        eye = -camera.rotation.T @ camera.translation
        up, centre = camera.rotation.T @ [0, 1, 0], np.asarray(framing.centre)
        rays.append(scene.create_rays_pinhole(rig.fov_deg, centre, eye, up, SIZE, SIZE))
    return best_of("Open3D rays (depth, id)", lambda: [scene.cast_rays(ray) for ray in rays])


def main() -> None:
    """Print the table."""
    mesh = grid_head()
    rows = [
        best_of("mesh4d depth, id", lambda: render_views(mesh, size=SIZE, channels=("depth",), keep_triangle_ids=True)),
        best_of("mesh4d depth, normal, shaded", lambda: render_views(mesh, size=SIZE)),
        bound(mesh, bands=7, n_views=7),
    ]
    if (peer := open3d_casting(mesh)) is not None:
        rows.append(peer)
    print(table(f"7 views x {SIZE}^2, {mesh.n_vertices} vertices, {mesh.n_faces} triangles", rows, rows[0].name))


if __name__ == "__main__":
    main()
