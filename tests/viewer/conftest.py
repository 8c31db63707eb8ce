"""A small rig as a GLB, written by the plainest code that makes the layout, and a browser that looks at pages."""

import base64
import dataclasses
import io
import json
import shutil
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from websockets.sync.client import connect

from aublend import AU_NAMES
from viewer.cli import listening_socket
from viewer.messages import ArkitUnit, EmotionPreset, PadPoint, UnitInfo, ViewerMetadata
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.scene import viewer_metadata

IN_NODE = """
const fs = require("fs"), vm = require("vm");
const [script, request] = process.argv.slice(1);
vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { metadata, units, input } = JSON.parse(fs.readFileSync(request, "utf8"));
const list = (numbers) => Array.from(numbers);
const page = Mesh4DViewer;
const read = (text) => page.readCurves(text, metadata, units);
const result = (() => { BODY })();
process.stdout.write(JSON.stringify(result));
"""
# What statements find in the page: the state that they leave answers in, and a reader's hands.
IN_PAGE = """
(async () => {
  const state = {};
  const { app } = Mesh4DViewer;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const until = async (test) => {
    for (let n = 0; n < 600 && !test(); n++) await pause(25);
    if (!test()) throw new Error(`never: ${test}; the page says: ${document.querySelector(".note")?.textContent}`);
  };
  const named = (text) => [...document.querySelectorAll("button")].find(
    (each) => each.textContent === text || each.getAttribute("aria-label") === text);
  const press = (target, key, held = {}) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...held }));
  const set = (input, value) => {
    input.value = String(value);
    input.dispatchEvent(new Event("input"));
    input.dispatchEvent(new Event("change"));
  };
  const drag = (target, from, to, held = {}) => {
    const box = target.getBoundingClientRect();
    const send = (type, [x, y]) => target.dispatchEvent(new PointerEvent(type, {
      clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true, button: 0, ...held }));
    target.setPointerCapture = () => {};
    send("pointerdown", from);
    send("pointermove", [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
    send("pointermove", to);
    send("pointerup", to);
  };
  BODY
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, String(value)]));
})()
"""
BROWSER_FLAGS = [
    *("--headless", "--no-sandbox", "--no-first-run", "--disable-sync", "--disable-component-update"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-extensions", "--remote-debugging-port=0"),
    *("--autoplay-policy=no-user-gesture-required", "--hide-scrollbars"),
]
SIZE = (1366, 768)


class Browser:
    """One headless Chromium for all tests of a process, steered over its debugging protocol, in real time."""

    def __init__(self, folder: Path) -> None:
        command = [shutil.which("chromium") or "chromium", *BROWSER_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        where = folder / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not (where.exists() and len(where.read_text().split()) == 2):
            if time.monotonic() > end:
                raise TimeoutError("Chromium did not start")
            time.sleep(0.05)
        port, path = where.read_text().split()
        self.socket = connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        self.asked = 0

    def ask(self, method: str, session: str | None = None, timeout: float = 90, **given) -> dict:
        """What Chromium answers to a command of its protocol; its events are passed over."""
        self.asked += 1
        request = {"id": self.asked, "method": method, "params": given}
        self.socket.send(json.dumps(request | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self.socket.recv(timeout=timeout))
            if answer.get("id") == self.asked:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def close(self) -> None:
        self.ask("Browser.close")
        self.process.wait(20)


class Tab:
    """A page with a storage of its own."""

    def __init__(self, browser: Browser, dark: bool, size: tuple[int, int]) -> None:
        self.browser = browser
        self.context = browser.ask("Target.createBrowserContext")["browserContextId"]
        target = browser.ask("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def ask(self, method: str, **given) -> dict:
        return self.browser.ask(method, self.session, **given)

    def run(self, expression: str):
        """The value of an expression, awaited."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", found))
        return found["result"].get("value")

    def open(self, address: str, ready: str = "!['', 'loading'].includes(document.documentElement.dataset.viewer??'')"):
        """Opens an address and waits until an expression holds there."""
        self.ask("Page.navigate", url=address)
        end = time.monotonic() + 60
        while not self.run(f"location.href !== 'about:blank' && document.readyState === 'complete' && ({ready})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{address} did not get ready")
            time.sleep(0.05)

    def probe(self, body: str) -> dict[str, str]:
        """What statements leave in `state`, as text."""
        return self.run(IN_PAGE.replace("BODY", body))

    def picture(self) -> np.ndarray:
        """What is seen, (H, W, 3) from 0 to 255."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")
        content = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)

    def close(self) -> None:
        self.browser.ask("Target.disposeBrowserContext", browserContextId=self.context)


@dataclass(frozen=True)
class TinyRig:
    """Neutral in millimetres, offsets per unit, triangles per material, and an optional track of weights."""

    vertices: np.ndarray
    deltas: np.ndarray
    names: tuple[str, ...]
    parts: dict[str, np.ndarray]
    times: np.ndarray
    weights: np.ndarray
    scale: float = 0.001

    def blend(self, weights: np.ndarray) -> np.ndarray:
        """Metres, from float32 data in float64 arithmetic."""
        mm = self.vertices.astype(np.float32).astype(float)
        return (mm + np.tensordot(weights, self.deltas.astype(np.float32).astype(float), 1)) * self.scale


def glb_bytes(rig: TinyRig, colors: dict[str, list[float]] | None = None) -> bytes:
    """Sparse morph targets, one POSITION accessor for all primitives, node scale in metres, a weights animation."""
    binary, views, accessors = bytearray(), [], []

    def view(array: np.ndarray) -> int:
        binary.extend(b"\0" * (-len(binary) % 4))
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        binary.extend(array.tobytes())
        return len(views) - 1

    def accessor(array: np.ndarray, component: int, kind: str) -> int:
        entry = {"bufferView": view(array), "componentType": component, "count": len(array), "type": kind}
        if kind == "VEC3":
            entry |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        accessors.append(entry)
        return len(accessors) - 1

    position = accessor(rig.vertices.astype("<f4"), 5126, "VEC3")
    targets = []
    for delta in rig.deltas.astype("<f4"):
        rows = np.flatnonzero(delta.any(axis=1)).astype("<u2")
        sparse = {
            "count": len(rows),
            "indices": {"bufferView": view(rows), "componentType": 5123},
            "values": {"bufferView": view(delta[rows])},
        }
        accessors.append({"componentType": 5126, "count": len(delta), "type": "VEC3", "sparse": sparse})
        targets.append({"POSITION": len(accessors) - 1})
    primitives = [
        {
            "attributes": {"POSITION": position},
            "indices": accessor(faces.astype("<u2").ravel(), 5123, "SCALAR"),
            "material": number,
            "targets": targets,
        }
        for number, faces in enumerate(rig.parts.values())
    ]
    sampler = {
        "input": accessor(rig.times.astype("<f4"), 5126, "SCALAR"),
        "output": accessor(rig.weights.astype("<f4").ravel(), 5126, "SCALAR"),
    }
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [rig.scale] * 3}],
        "meshes": [{"primitives": primitives, "extras": {"targetNames": list(rig.names)}}],
        "materials": [
            {
                "name": name,
                "pbrMetallicRoughness": {
                    "baseColorFactor": (colors or {}).get(name, [0.7, 0.5, 0.4, 1]),
                    "metallicFactor": 0,
                    "roughnessFactor": 0.6,
                },
            }
            for name in rig.parts
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
        "animations": [{"samplers": [sampler], "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}]}],
    }
    return pack(document, bytes(binary))


def pack(document: dict, binary: bytes) -> bytes:
    """The container: header, JSON chunk, binary chunk."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, total) + chunks


def sphere_rig() -> TinyRig:
    """A 100 mm ball with a bump per unit: AU1 on top, AU12 at both sides of the middle."""
    rings, sectors = 16, 24
    polar = np.linspace(0.05, np.pi - 0.05, rings)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, sectors, endpoint=False)[None]
    directions = np.stack(
        [np.sin(polar) * np.sin(azimuth), np.cos(polar) + 0 * azimuth, np.sin(polar) * np.cos(azimuth)], axis=-1
    ).reshape(-1, 3)
    row, column = np.meshgrid(np.arange(rings - 1), np.arange(sectors), indexing="ij")
    a, b = row * sectors + column, row * sectors + (column + 1) % sectors
    faces = np.concatenate(
        [np.stack([a, a + sectors, b], -1).reshape(-1, 3), np.stack([b, a + sectors, b + sectors], -1).reshape(-1, 3)]
    )
    top = np.clip(directions[:, 1] - 0.5, 0, None)[:, None] * [5.0, 30.0, -12.0]
    sides = np.clip(directions[:, 2] - 0.5, 0, None)[:, None] * np.sign(directions[:, :1]) * [25.0, 8.0, 6.0]
    half = len(faces) // 2
    return TinyRig(
        vertices=100.0 * directions,
        deltas=np.stack([top, sides]),
        names=("AU1", "AU12"),
        parts={"skin": faces[:half], "teeth": faces[half:]},
        times=np.array([0.0, 0.5, 1.0]),
        weights=np.array([[0.0, 0.0], [1.0, 0.25], [0.0, 1.0]]),
    )


@pytest.fixture
def rig() -> TinyRig:
    return sphere_rig()


@pytest.fixture
def rig_glb(rig: TinyRig) -> bytes:
    return glb_bytes(rig)


@pytest.fixture
def make_glb():
    """The writer of rigs, for rigs that a test makes itself."""
    return glb_bytes


@pytest.fixture
def pack_glb():
    """The container writer, for documents that a test makes itself."""
    return pack


@pytest.fixture
def client_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A built client that is two short files, with the sequences that could end their elements."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "viewer.js").write_text("const s = '</script><!--';\n", encoding="utf-8")
    (folder / "viewer.css").write_text("body { color: red; } /* </style> */\n", encoding="utf-8")
    monkeypatch.setattr("viewer.page.STATIC_FOLDER", folder)


@pytest.fixture
def metadata() -> ViewerMetadata:
    return ViewerMetadata(
        title="Ball",
        units=(
            UnitInfo("AU1", "Inner brow raiser", "Frontalis", "Upper face", "Brows rise."),
            UnitInfo("AU12", "Lip corner puller", "Zygomaticus major", "Lower face", "Corners rise."),
        ),
        emotions=(EmotionPreset("happiness", {"AU12": 0.9}), EmotionPreset("contempt", {"AU12L": 0.6})),
        pad=(
            PadPoint("happiness", 0.8, 0.5, {"AU12": 0.9}),
            PadPoint("surprise", -0.8, 0.5, {"AU1": 0.9}),
            PadPoint("rest", 0.0, -0.9, {}),
        ),
        arkit_shapes=("browInnerUp",),
        arkit=(ArkitUnit("AU1", "own", {}, {}, {"browInnerUp": 1.0}, ()),),
        phones=("SIL", "B", "P", "AA"),
    )


@pytest.fixture
def page(tmp_path):
    """Runs statements in Node against the client that return something; `input` is what the test hands over."""

    def run(body: str, given: object = None):
        request = tmp_path / "request.json"
        labels = dataclasses.asdict(viewer_metadata("head"))
        request.write_text(json.dumps({"metadata": labels, "units": AU_NAMES, "input": given}))
        command = [shutil.which("node") or "node", "-e", IN_NODE.replace("BODY", body)]
        done = subprocess.run(
            [*command, str(STATIC_FOLDER / SCRIPT_NAME), str(request)], capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def new_tab(chromium):
    """Opens empty pages, light or dark, and closes them after the test."""
    tabs: list[Tab] = []

    def new(dark: bool = False, size: tuple[int, int] = SIZE) -> Tab:
        tabs.append(Tab(chromium, dark, size))
        return tabs[-1]

    yield new
    for tab in tabs:
        tab.close()


@pytest.fixture
def open_page(tmp_path, new_tab):
    """A tab with a page's text as a file from disk."""

    def run(html: str, dark: bool = False, size: tuple[int, int] = SIZE) -> Tab:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        tab = new_tab(dark, size)
        tab.open(path.as_uri())
        return tab

    return run


@pytest.fixture
def probed(open_page):
    """What statements leave in `state` in a page from disk."""
    return lambda html, body, dark=False: open_page(html, dark).probe(body)


@pytest.fixture
def serving(new_tab):
    """A tab with what an application serves."""
    running = []

    def serve(app) -> Tab:
        listener = listening_socket(0)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread, listener))
        tab = new_tab()
        tab.open(f"http://127.0.0.1:{listener.getsockname()[1]}/?token={app.state.token}")
        return tab

    yield serve
    for server, thread, listener in running:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        listener.close()
