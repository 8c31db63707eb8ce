"""Identities, maps, sequences and readings over HTTP: what is refused, and that the numbers are the right ones."""

import base64
import functools
import gzip
import io
import json
import struct
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from aublend import head_model, read_rig, write_rig
from aublend.curves import AUCurves, neutral_apex_neutral
from mesh4d import MeshFormatError, write_mesh, write_sequence
from mesh4d.io.glb import read_document
from viewer.frame_archive import unpack
from viewer.head_map import head_map
from viewer.head_routes import SequenceJobs, add_sequence_routes
from viewer.identities import identity_glb
from viewer.messages import Reading
from viewer.readings import ReadingError, Readings, SupersededError, UnknownSurfaceError
from viewer.server import create_app

ADDRESS = "http://127.0.0.1:8765"
TOKEN = {"token": "a-secret"}


@pytest.fixture(scope="module")
def rig():
    return head_model().rig(502)


@pytest.fixture(scope="module")
def rig_bytes(rig, tmp_path_factory):
    path = tmp_path_factory.mktemp("rig") / "rig.glb"
    write_rig(rig, path)
    return path.read_bytes()


@pytest.fixture
def sequences():
    jobs = SequenceJobs()
    yield jobs
    jobs.close()


@pytest.fixture
def client(client_stub, rig_bytes, metadata, sequences):
    return TestClient(create_app(rig_bytes, metadata, token="a-secret", sequences=sequences), ADDRESS)


ROUTES = [
    ("get", "/identities/3/rig.bin"),
    ("get", "/identities/3/picture.png"),
    ("get", "/map.json"),
    ("post", "/sequences?name=a.zip"),
    ("get", "/sequences/x"),
    ("get", "/sequences/x/curves.json"),
    ("delete", "/sequences/x"),
    ("put", "/surfaces/x"),
    ("post", "/readings"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_second_tab_without_the_token_gets_nothing(client, method, route):
    assert getattr(client, method)(route).status_code == 403
    glue = "&" if "?" in route else "?"
    assert getattr(client, method)(f"{route}{glue}token=another").status_code == 403


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_foreign_pages_get_nothing(client, method, route, header):
    glue = "&" if "?" in route else "?"
    assert getattr(client, method)(f"{route}{glue}token=a-secret", headers=header).status_code == 403


def test_identities_are_rigs_and_styles_change_them(client, tmp_path):
    answer = client.get("/identities/502/rig.bin", params=TOKEN)
    names = read_document(gzip.decompress(answer.content), Path("a.glb")).table("meshes")[0].item("extras")
    assert {"AU12", "AU6+AU45"} <= set(names.texts("targetNames"))
    reach = {}
    for style in ("subtle", "natural", "exaggerated"):
        (tmp_path / f"{style}.glb").write_bytes(identity_glb(502, style))
        styled = read_rig(tmp_path / f"{style}.glb")
        reach[style] = np.linalg.norm(styled.deltas, axis=2).max(axis=1)
    brow = 0
    assert reach["subtle"][brow] < 0.8 * reach["natural"][brow] < 0.8 * reach["exaggerated"][brow]
    assert client.get("/identities/502/rig.bin", params=TOKEN | {"style": "../x"}).status_code == 404
    for seed in ("-1", "1000000", "x"):
        assert client.get(f"/identities/{seed}/rig.bin", params=TOKEN).status_code in (404, 422)


def test_natural_identities_are_the_models_own(tmp_path, rig):
    (tmp_path / "a.glb").write_bytes(identity_glb(502))
    np.testing.assert_allclose(read_rig(tmp_path / "a.glb").deltas, rig.deltas, atol=1e-4)


def test_a_picture_shows_a_head_on_nothing(client):
    from PIL import Image

    picture = Image.open(io.BytesIO(client.get("/identities/3/picture.png", params=TOKEN).content))
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape[2] == 4 and pixels[2, 2, 3] == 0 and pixels[72, 72, 3] == 255
    assert pixels[72, 72, 0] > pixels[72, 72, 2], "skin is warm"


def test_the_map_knows_landmarks_and_regions(client, rig):
    said = client.get("/map.json", params=TOKEN | {"head": "identity-502-natural"}).json()
    corners = np.array(said["landmark_vertices"]).reshape(68, 3)
    shares = np.array(said["landmark_shares"]).reshape(68, 3)
    points = np.einsum("lk,lkc->lc", shares, rig.neutral.vertices[corners])
    names = said["landmark_names"]
    chin, nose = points[names.index("chin")], points[30]
    assert chin[1] < nose[1] - 30 and nose[2] > chin[2]
    left = points[[index for index, name in enumerate(names) if name.startswith("jaw left")]]
    assert (left[:, 0] > 0).all(), "the subject's left is +x"
    masks = np.frombuffer(base64.b64decode(said["regions"]), np.uint8).reshape(len(said["region_names"]), -1)
    assert masks.shape[1] == rig.neutral.n_vertices
    lip = masks[said["region_names"].index("lip")]
    assert np.linalg.norm(rig.neutral.vertices[lip > 200].mean(axis=0) - points[48:].mean(axis=0)) < 15
    assert client.get("/map.json", params=TOKEN | {"head": "nobody"}).status_code == 404


def test_the_map_of_another_topology_lies_on_its_surface(rig):
    from trimesh.remesh import subdivide

    from mesh4d.mesh import Mesh

    vertices, faces = subdivide(rig.neutral.vertices, rig.neutral.faces)[:2]
    places = head_map(Mesh(vertices, faces))
    corners = np.array(places.landmark_vertices).reshape(68, 3)
    found = np.einsum("lk,lkc->lc", np.array(places.landmark_shares).reshape(68, 3), vertices[corners])
    own = head_map(rig.neutral)
    expected = np.einsum(
        "lk,lkc->lc",
        np.array(own.landmark_shares).reshape(68, 3),
        rig.neutral.vertices[np.array(own.landmark_vertices).reshape(68, 3)],
    )
    assert np.median(np.linalg.norm(found - expected, axis=1)) < 4.0


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(data), kind, "/etc/passwd"
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def solved(client, sequences, name: str, content: bytes, head: str = "main") -> dict:
    answer = client.post("/sequences", params=TOKEN | {"name": name, "head": head}, content=content)
    assert answer.status_code == 200, answer.text
    job = answer.json()["id"]
    sequences.wait(job, 300.0)
    status = client.get(f"/sequences/{job}", params=TOKEN).json()
    if status["state"] != "done":
        return status
    return client.get(f"/sequences/{job}/curves.json", params=TOKEN).json()


def curves_of(said: dict) -> AUCurves:
    rows = np.array(said["curves"]["rows"], float).reshape(len(said["curves"]["rows"]), -1)
    return AUCurves(tuple(said["curves"]["names"]), rows, said["fps"])


@pytest.mark.parametrize("form", ["smile.glb", "smile.npz", "smile.pc2", "frames.zip", "frames.tar"])
def test_sequences_become_the_curves_that_made_them(client, sequences, rig, tmp_path, form):
    curves = neutral_apex_neutral({"AU12L": 0.9, "AU6": 0.8, "AU25": 0.5}, fps=10.0)
    path = tmp_path / form
    if form.startswith("frames"):
        for frame, mesh in enumerate(rig.animate(curves)):
            write_mesh(mesh, tmp_path / f"f_{frame:03d}.ply")
        files = {f"a/{file.name}": file.read_bytes() for file in sorted(tmp_path.glob("*.ply"))}
        path.write_bytes((zipped if form.endswith("zip") else tarred)(files))
    elif form.endswith("glb"):
        write_rig(rig, path, curves)
    else:
        write_sequence(rig.animate(curves), path)
    said = solved(client, sequences, form, path.read_bytes())
    assert "curves" in said, said
    found = curves_of(said).halves()
    np.testing.assert_allclose(found, curves.halves(), atol=0.02)


HOSTILE = {
    "empty.zip": b"",
    "cut.zip": zipped({"f_000.obj": b"v 0 0 0\n" * 50})[:60],
    "nothing.zip": zipped({"readme.txt": b"hello"}),
    "twice.tar": tarred({"a/f_000.obj": b"v 0 0 0\n", "b/f_000.obj": b"v 0 0 0\n"}),
    "link.tar": tarred({"f_000.obj": b""}, tarfile.SYMTYPE),
    "device.tar": tarred({"f_000.obj": b""}, tarfile.CHRTYPE),
    "pickle.npz": b"\x80\x04\x95cposix\nsystem\n",
    "huge.pc2": b"POINTCACHE2\0" + struct.pack("<iiffi", 1, 2**31 - 1, 0.0, 1.0, 2**31 - 1),
    "no_face.zip": zipped({f"f_{n}.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n" for n in range(2)}),
    "mutated.glb": b"glTF\x02\x00\x00\x00" + bytes(range(256)),
}


SLOW = pytest.mark.slow  # the whole search for a face, in both frames


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW if n == "no_face.zip" else ()) for n in HOSTILE])
def test_hostile_sequences_are_explained(client, sequences, name):
    status = solved(client, sequences, f"../../{name}", HOSTILE[name])
    assert status["state"] == "failed" and status["error"], status
    assert tempfile.gettempdir() not in status["error"] and "Traceback" not in status["error"]


@pytest.mark.parametrize("name", ["", "a.exe", "head.obj", "../../etc/passwd", "a.zarr", "a.zip/x"])
def test_only_sequences_are_taken(client, name):
    assert client.post("/sequences", params=TOKEN | {"name": name, "head": "main"}, content=b"x").status_code == 415


def test_a_sequence_for_a_head_that_is_gone(client):
    answer = client.post("/sequences", params=TOKEN | {"name": "a.npz", "head": "nobody"}, content=b"x")
    assert answer.status_code == 404


def test_oversize_leaves_nothing(client_stub, rig_bytes, metadata, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        "viewer.server.add_sequence_routes", functools.partial(add_sequence_routes, sequence_bytes=1 << 16)
    )
    client = TestClient(create_app(rig_bytes, metadata, token="a-secret"), ADDRESS)
    before = set(tmp_path.iterdir())
    answer = client.post("/sequences", params=TOKEN | {"name": "a.zip", "head": "main"}, content=bytes(1 << 17))
    assert answer.status_code == 413
    assert set(tmp_path.iterdir()) == before


def test_bombs_are_counted_as_they_unfold(tmp_path):
    """The header's sizes are not believed: bytes are."""
    bomb = tmp_path / "bomb.zip"
    bomb.write_bytes(zipped({"f_000.obj": bytes(8 << 20), "f_001.obj": bytes(8 << 20)}))
    assert bomb.stat().st_size < 1 << 20
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(MeshFormatError, match="at most"):
        unpack(bomb, folder, most_bytes=10 << 20)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 10 << 20


def test_archives_cannot_climb_nor_multiply(tmp_path):
    archive = tmp_path / "climb.zip"
    archive.write_bytes(zipped({"../../f_000.obj": b"v 0 0 0\n", "/abs/f_001.obj": b"v 1 0 0\n", "x/run.sh": b"rm"}))
    folder = tmp_path / "out"
    folder.mkdir()
    unpack(archive, folder)
    assert sorted(file.name for file in folder.iterdir()) == ["f_000.obj", "f_001.obj"]
    many = tmp_path / "many.zip"
    many.write_bytes(zipped({f"f_{number}.obj": b"" for number in range(30)}))
    with pytest.raises(MeshFormatError, match="at most 20 files"):
        unpack(many, tmp_path / "out", most_files=20)


def surface(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    counts = struct.pack("<II", len(vertices), len(faces))
    return counts + vertices.astype("<f4").tobytes() + faces.astype("<u4").tobytes()


def test_a_smile_is_read_as_one(client, rig):
    vertices, faces = rig.neutral.vertices / 1000, rig.neutral.faces
    assert client.put("/surfaces/one", params=TOKEN, content=surface(vertices, faces)).status_code == 200
    smile = rig.drive({"AU6": 0.8, "AU12": 0.9}).vertices / 1000
    answer = client.post("/readings", params=TOKEN | {"surface": "one"}, content=smile.astype("<f4").tobytes())
    assert answer.status_code == 200, answer.text
    said = TypeAdapter(Reading).validate_python(answer.json())
    assert said.labels[int(np.argmax(said.probabilities))] == "happiness"
    assert len(said.pictures) == len(said.views) == len(said.view_weights) == 7
    assert all(picture.startswith("data:image/png;base64,") for picture in said.pictures)
    unknown = client.post("/readings", params=TOKEN | {"surface": "two"}, content=smile.astype("<f4").tobytes())
    assert unknown.status_code == 404
    assert client.post("/readings", params=TOKEN | {"surface": "one"}, content=b"short").status_code == 422


@pytest.mark.parametrize("content", [b"", b"\0" * 8, struct.pack("<II", 2**32 - 1, 1), struct.pack("<II", 3, 1) + b"x"])
def test_broken_surfaces_are_refused(client, content):
    assert client.put("/surfaces/one", params=TOKEN, content=content).status_code == 422


class SlowReadings(Readings):
    """Readings whose model is a gate: what waits behind it is the question."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.gate = threading.Event(), threading.Event()

    def _asked(self, request, content):
        self.entered.set()
        self.gate.wait(20)
        return {"reading": {name: () for name in Reading.__dataclass_fields__} | {"seconds": 0.0}}


def test_the_newest_face_is_read_and_older_ones_give_way():
    readings = SlowReadings()
    readings.keep("one", surface(np.zeros((3, 3)), np.array([[0, 1, 2]])))
    outcome: dict[int, str] = {}

    def ask(number: int) -> None:
        try:
            readings.read("one", bytes(36))
            outcome[number] = "read"
        except SupersededError:
            outcome[number] = "gave way"

    threads = [threading.Thread(target=ask, args=[number]) for number in range(3)]
    threads[0].start()
    assert readings.entered.wait(20)
    for number, thread in enumerate(threads[1:], start=1):
        thread.start()
        while readings._newest < number + 1:
            time.sleep(0.005)
    readings.gate.set()
    for thread in threads:
        thread.join(20)
    assert outcome == {0: "read", 1: "gave way", 2: "read"}
    with pytest.raises(UnknownSurfaceError):
        readings.read("two", bytes(36))
    with pytest.raises(ReadingError, match="3 vertices"):
        readings.read("one", b"")


def test_job_messages_are_json(client):
    answer = client.post("/sequences", params=TOKEN | {"name": "a.npz", "head": "main"}, content=b"no archive")
    assert set(json.loads(answer.text)) == {"id", "name", "state", "stage", "error"}
