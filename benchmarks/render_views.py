"""Seven views of one head: ours beside Open3D's ray casting and pyrender on EGL, where they are installed.

Ours starts from the mesh and ends with depth, normals and shaded colour. The peers do less: Open3D casts rays that are
already made (hit, triangle, barycentric coordinates; no shading), pyrender draws depth and shaded colour (no normals).
Each is timed from the mesh, as a sequence needs it for every frame, and with its scene ready. Milliseconds of the clock
mean little on a busy machine, so the note gives the processor time of all threads too, and the peers' multiple of ours
in both. The bound is what moving the data alone would take: every vertex read once per view, every pixel written once,
at this machine's measured copy speed. A second table says how exactly pictures agree.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from benchmarks.read_meshes import grid_head
from benchmarks.timing import Timing, best_of, table
from mesh4d import Mesh, MeshSequence, render_views
from mesh4d.render import CameraRig, Framing, MissingBackendError, camera_rig, frame_of
from mesh4d.render.backends import backend_named
from mesh4d.threads import thread_count

SIZE = 224
VERTICES, TRIANGLES = 26_719, 52_220
FRAMES = 8
OURS = "mesh4d depth, normal, shaded"


def timed(name: str, work: Callable[[], object], repeats: int = 15, ours: Timing | None = None) -> Timing:
    """The best wall time, with the least processor time (all threads) as the note."""
    timing = best_of(name, work, repeats)
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    note = f"processor {1e3 * min(spent):.1f} ms"
    if ours is not None:
        base = float(ours.note.split()[1]) / 1e3
        note += (
            f"; ours x {timing.seconds / ours.seconds:.1f} by the clock, x {min(spent) / base:.1f} in processor time"
        )
    return Timing(name, timing.seconds, note)


def scan_sized_head() -> Mesh:
    """The grid head cut down to the vertex and triangle counts of a 4D scan, with texture coordinates and a texture."""
    head = grid_head()
    assert head.uv is not None
    kept = head.faces[head.faces.max(axis=1) < VERTICES][:TRIANGLES]
    texture = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    return Mesh(head.vertices[:VERTICES], kept, uv=head.uv[:VERTICES], uv_faces=kept, texture=texture)


def bound(mesh: Mesh, bands: int, n_views: int) -> Timing:
    """The time to read the vertices and write the pixels once at memory speed."""
    block = np.ones(32 << 20, np.uint8)
    copy = best_of("copy", block.copy).seconds / (2 * block.nbytes)
    traffic = n_views * (mesh.n_vertices * 3 * 8 + SIZE * SIZE * bands * 4)
    return Timing("memory bound", traffic * copy, f"{traffic / 1e6:.1f} MB")


def open3d_casting(mesh: Mesh, rig: CameraRig, framing: Framing, ours: Timing) -> list[Timing]:
    """Depth, triangle ids and barycentric coordinates by Open3D's RaycastingScene."""
    import open3d

    def built() -> object:
        scene = open3d.t.geometry.RaycastingScene()
        scene.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
        return scene

    ready, rays = built(), []
    for camera in rig.cameras(framing):
        eye = -camera.rotation.T @ camera.translation
        up, centre = camera.rotation.T @ [0, 1, 0], np.asarray(framing.centre)
        rays.append(ready.create_rays_pinhole(rig.fov_deg, centre, eye, up, SIZE, SIZE))

    def cast(scene: object) -> list:
        return [scene.cast_rays(ray) for ray in rays]

    return [
        timed("Open3D rays from the mesh (hits alone)", lambda: cast(built()), ours=ours),
        timed("Open3D rays, scene ready", lambda: cast(ready), ours=ours),
    ]


def pyrender_drawing(mesh: Mesh, rig: CameraRig, framing: Framing, ours: Timing) -> list[Timing]:
    """Depth and shaded colour by pyrender's own renderer."""
    import pyrender
    import trimesh

    renderer = pyrender.OffscreenRenderer(SIZE, SIZE)

    def built() -> tuple:
        scene = pyrender.Scene(ambient_light=[0.1, 0.1, 0.1])
        scene.add(pyrender.Mesh.from_trimesh(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)))
        scene.add(pyrender.DirectionalLight(intensity=3.0))
        lens = pyrender.PerspectiveCamera(np.radians(rig.fov_deg or 20.0), znear=50.0, zfar=2000.0, aspectRatio=1.0)
        return scene, scene.add(lens)

    def draw(scene: object, eye: object) -> list:
        pictures = []
        for camera in rig.cameras(framing):
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = camera.rotation.T, -camera.rotation.T @ camera.translation
            scene.set_pose(eye, pose)
            pictures.append(renderer.render(scene))
        return pictures

    ready = built()
    return [
        timed("pyrender on EGL from the mesh (depth, shaded)", lambda: draw(*built()), 3, ours),
        timed("pyrender on EGL, scene ready", lambda: draw(*ready), 3, ours),
    ]


def agreement(mesh: Mesh, name: str, rig: CameraRig, framing: Framing) -> str:
    """One line: how many pixels of the outline differ from a backend's, and the rest of depth and normals."""
    ours, theirs = (
        render_views(mesh, rig, SIZE, ("mask", "depth", "normal"), framing, backend=each) for each in ("numba", name)
    )
    seen, other = ours.channel("mask") > 0, theirs.channel("mask") > 0
    both = seen & other
    depth = np.abs(ours.channel("depth") - theirs.channel("depth"))[both] / 2  # of the framed sphere's diameter
    turn = np.abs(ours.channel("normal") - theirs.channel("normal")).max(axis=-1)[both]
    return (
        f"| {name} | {(seen != other).sum() / seen.sum():.1e} | {np.mean(depth > 1e-4):.1e} | "
        f"{np.quantile(depth, 0.999):.1e} | {np.quantile(turn, 0.999):.1e} |"
    )


def main() -> None:
    """Print the tables."""
    mesh, rig = scan_sized_head(), camera_rig("fer7")
    framing = frame_of(mesh)
    plain = dataclasses.replace(mesh, uv=None, uv_faces=None, texture=None)
    sequence = MeshSequence(plain, np.stack([mesh.vertices + np.array([0, 0, t]) for t in range(FRAMES)]), 25.0)
    ours = timed(OURS, lambda: render_views(plain, rig, SIZE, framing=framing))
    rows = [
        ours,
        timed("the same on one thread", lambda: render_views(plain, rig, SIZE, framing=framing, threads=1)),
        timed("mesh4d depth", lambda: render_views(plain, rig, SIZE, ("depth",), framing)),
        timed("mesh4d texture", lambda: render_views(mesh, rig, SIZE, ("texture",), framing)),
        best_of("mesh4d framing", lambda: frame_of(mesh)),
    ]
    moving = best_of(f"{FRAMES} frames", lambda: render_views(sequence, rig, SIZE, framing=framing), 5)
    rows.append(Timing("mesh4d depth, normal, shaded: a frame of a sequence", moving.seconds / FRAMES))
    rows.append(bound(mesh, bands=7, n_views=len(rig)))
    agreements = []
    for name, peer in (("open3d", open3d_casting), ("pyrender", pyrender_drawing)):
        try:
            backend_named(name)
        except MissingBackendError as missing:
            print(missing)
            continue
        agreements.append(agreement(mesh, name, rig, framing))

        def same(backend: str = name) -> object:
            return render_views(plain, rig, SIZE, framing=framing, backend=backend)

        rows.append(timed(f"render_views by {name}: the same pictures", same, 3, ours))
        rows += peer(plain, rig, framing, ours)  # last: where a pyrender renderer ends, so does the display
    title = f"7 views x {SIZE}^2, {mesh.n_vertices} vertices, {mesh.n_faces} triangles, {thread_count()} threads"
    print(table(title, rows, OURS))
    if agreements:
        print("\n| backend | outline pixels that differ | depth off by > 1e-4 of the head | 99.9 % depth | normal |")
        print("| --- | --- | --- | --- | --- |", *agreements, sep="\n")


if __name__ == "__main__":
    main()
