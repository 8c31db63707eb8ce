"""The page: time of a blend in Node, frames a second of both paths in a software renderer, first paint, and its size.

    python -m benchmarks.viewer

Node and Chromium must be installed and the client built (`make viewer`). The blend is timed on the embedded head
subdivided to about 26,700 vertices, 32 units with both halves and all pairs; the page is the embedded head itself.
Chromium draws with SwiftShader on the processor, which has no graphics card to give: those figures say how the two
paths compare, not how fast a card is.
"""

import html
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from aublend.rig_files import morph_mesh
from benchmarks.drive import dense_rig
from mesh4d.io.gltf_write import gltf_bytes
from viewer.compact import compact_glb
from viewer.export import export_html
from viewer.head_map import map_of_glb
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.scene import embedded_head, embedded_seed, viewer_metadata

REPEATS = 3
SIZE = (1366, 768)
FLAGS = [
    *("--headless", "--no-sandbox", "--no-first-run", "--use-gl=angle", "--use-angle=swiftshader"),
    *("--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-background-networking"),
    f"--window-size={SIZE[0]},{SIZE[1]}",
]
BLEND = """
const fs = require("fs"), vm = require("vm");
const [script, file] = process.argv.slice(1);
vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { readRig, SparseBlend, VertexNormals } = Mesh4DViewer;
const bytes = fs.readFileSync(file);
const rig = readRig(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const units = rig.face.names.length;
const blend = new SparseBlend(rig.positions, rig.face);
const normals = new VertexNormals(rig.positions, rig.indices, blend.moved, rig.normals);
const pose = (weight) => Float64Array.from({ length: 2 * units }, (_, place) => weight(place % units, place < units));
const poses = {
  "all units": pose(() => 0.3),
  "all units, halves apart": pose((_, left) => (left ? 0.3 : 0.25)),
  "4 units": pose((unit) => ([0, 4, 11, 20].includes(unit) ? 0.5 : 0)),
};
const fastest = (work) => {
  let least = Infinity;
  for (let round = 0; round < 400; round++) {
    const start = performance.now();
    work();
    if (round > 50) least = Math.min(least, performance.now() - start);
  }
  return least;
};
const rows = Object.entries(poses).map(([name, each]) => [name, fastest(() => blend.apply(each))]);
rows.push(["normals of what moves", fastest(() => normals.update(blend.positions))]);
console.log(JSON.stringify({ vertices: rig.positions.length / 3, rows }));
"""
WAIT = """
  const state = document.documentElement.dataset;
  while (state.viewer !== "ready" && state.viewer !== "failed") await new Promise((done) => setTimeout(done, 5));
  const { app } = Mesh4DViewer;
  const gl = app.stage.canvas.getContext("webgl2");
  const pixel = new Uint8Array(4);
  const finished = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); // waits until all is drawn
"""
PAINT = (
    """<script>
(async () => {
  const paint = new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries()[0].startTime)).observe({ type: "paint", buffered: true });
    setTimeout(() => done(null), 30000);
  });
"""
    + WAIT
    + """
  app.stage.render();
  finished();
  const drawn = performance.now();
  document.title = "measured " + JSON.stringify({ drawn, paint: await paint });
})();
</script>"""
)
FRAMES = (
    """<script>
(async () => {
"""
    + WAIT
    + """
  const found = {};
  for (const path of ["js", "gpu"]) {
    found[path + " works"] = app.head.setGpu(path === "gpu") || path === "js";
    const frame = (time) => {
      app.head.show(Float64Array.from(app.pose, (_, unit) => 0.5 + 0.5 * Math.sin(time + unit)));
      app.stage.render();
      finished();
    };
    for (let warm = 0; warm < 5; warm++) frame(warm);
    const start = performance.now();
    let frames = 0;
    while (performance.now() - start < 4000) frame(frames++);
    found[path] = (1000 * frames) / (performance.now() - start);
  }
  document.title = "measured " + JSON.stringify(found);
})();
</script>"""
)


def blending(folder: Path) -> None:
    """Print the table of blends in Node."""
    node = shutil.which("node")
    if node is None:
        print("\nNode is not installed: the blend is not timed.")
        return
    (folder / "dense.glb").write_bytes(compact_glb(gltf_bytes(morph_mesh(dense_rig()), None, binary=True)))
    command = [node, "-e", BLEND, str(STATIC_FOLDER / SCRIPT_NAME), str(folder / "dense.glb")]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(REPEATS)
    ]
    print(f"\n### the page's blend in Node, {runs[0]['vertices']} vertices\n\n| what | ms |\n| --- | --- |")
    for row, (name, _) in enumerate(runs[0]["rows"]):
        print(f"| {name} | {min(run['rows'][row][1] for run in runs):.2f} |")


def in_chromium(page: Path, seconds: float = 120.0) -> dict[str, float]:
    """What a page leaves in its title, in real time."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            str(shutil.which("chromium")), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}",
            page.as_uri(),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(0.3)
                for title in _titles(Path(profile)):
                    if title.startswith("measured "):
                        return json.loads(title.removeprefix("measured "))
        finally:
            process.kill()
            process.wait()
    raise RuntimeError(f"{page.name} said nothing for {seconds:g} s")


def _titles(profile: Path) -> list[str]:
    try:
        port = (profile / "DevToolsActivePort").read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
            return [html.unescape(str(target.get("title", ""))) for target in json.load(answer)]
    except (OSError, IndexError):
        return []


def paging(folder: Path) -> None:
    """Print size and first paint of the exported page, and frames a second of both paths."""
    glb = embedded_head()
    seed = embedded_seed()
    page = export_html(glb, viewer_metadata(f"Embedded head {seed}", seed=seed), places=map_of_glb(glb))
    print(f"\n### the exported page, embedded head\n\nSize: {len(page.encode()) / 1e6:.2f} MB, the rig in it.")
    if shutil.which("chromium") is None:
        print("Chromium is not installed: nothing is drawn.")
        return
    runs = []
    for name, probe, count in (("paint", PAINT, REPEATS), ("frames", FRAMES, 1)):
        path = folder / f"{name}.html"
        path.write_text(page.replace("</body>", f"{probe}</body>"), encoding="utf-8")
        runs.append([in_chromium(path) for _ in range(count)])
    paints, (frames,) = runs
    drawn = min(run["drawn"] for run in paints)
    painted = [run["paint"] for run in paints if run["paint"] is not None]
    first = f"{min(painted) / 1000:.2f} s" if painted else "not told by this browser"
    print(
        f"From file://, a fresh profile: first paint, which names the head, {first}; head drawn {drawn / 1000:.2f} s."
    )
    print("\n| path, SwiftShader, all units moving | frames/s |\n| --- | --- |")
    print(f"| JS blend | {frames['js']:.1f} |\n| GPU blend | {frames['gpu']:.1f} |")


def main() -> None:
    """Print all tables."""
    with tempfile.TemporaryDirectory() as folder:
        blending(Path(folder))
        paging(Path(folder))


if __name__ == "__main__":
    main()
