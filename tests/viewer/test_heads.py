"""Heads that a page sends: what is refused, what is said about broken ones, and that nothing outlives its reader."""

import gzip
import json
import os
import tempfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from aublend import head_model
from mesh4d import write_mesh
from mesh4d.io.glb import read_document
from viewer.head_jobs import HeadJobs
from viewer.server import create_app

ADDRESS = "http://127.0.0.1:8765"
TOKEN = {"token": "a-secret"}
HOSTILE = {
    "no_face.obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "face"),
    "broken.obj": (b"v 0 0 0\nf 1 2 9999\n", "line 2"),
    "bomb.ply": (b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n", "bomb.ply"),
    "pickle.npz": (b"\x80\x04\x95cposix\nsystem\n", "pickle.npz"),
    "empty.stl": (b"", "empty.stl"),
    "cut.glb": (b"glTF\x02\x00\x00\x00\xff\xff\xff\x7f", "cut.glb"),
}


@pytest.fixture
def jobs():
    jobs = HeadJobs()
    yield jobs
    jobs.close()


@pytest.fixture
def client(client_stub, rig_glb, metadata, jobs):
    return TestClient(create_app(rig_glb, metadata, token="a-secret", upload_bytes=1 << 20, jobs=jobs), ADDRESS)


def send(client, name: str, content: bytes, **headers: str):
    return client.post("/heads", params=TOKEN | {"name": name}, content=content, headers=headers)


def test_token_and_origin_are_asked_for(client):
    assert client.post("/heads", params={"name": "a.obj"}, content=b"v").status_code == 403
    assert send(client, "a.obj", b"v", Origin="http://evil.example").status_code == 403
    for method in ("get", "delete"):
        assert getattr(client, method)("/heads/some").status_code == 403
        assert getattr(client, method)("/heads/some", params=TOKEN).status_code == 404


@pytest.mark.parametrize("name", ["", "head", "head.exe", "../../etc/passwd", "head.obj/x", "points.pc2", "data.zarr"])
def test_only_meshes_are_taken(client, name):
    answer = send(client, name, b"x")
    assert answer.status_code == 415
    assert ".obj" in answer.json()["detail"]


def test_too_large_a_file_is_refused_and_leaves_nothing(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    assert send(client, "head.obj", b"v 0 0 0\n" * 200_000).status_code == 413
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_explained(client, jobs, name):
    content, said = HOSTILE[name]
    job = send(client, f"../../{name}", content).json()["id"]
    jobs.wait(job, 120.0)
    status = client.get(f"/heads/{job}", params=TOKEN).json()
    assert status["state"] == "failed" and said in status["error"], status
    assert tempfile.gettempdir() not in status["error"]
    assert client.get(f"/heads/{job}/rig.bin", params=TOKEN).status_code == 404


def test_a_head_comes_back_as_a_rig(client, jobs, tmp_path):
    write_mesh(head_model().identity(77), tmp_path / "head.obj")
    job = send(client, "head.obj", (tmp_path / "head.obj").read_bytes()).json()["id"]
    jobs.wait(job, 240.0)
    assert client.get(f"/heads/{job}", params=TOKEN).json()["state"] == "done"
    content = client.get(f"/heads/{job}/rig.bin", params=TOKEN).content
    names = read_document(gzip.decompress(content), Path("rig.glb")).table("meshes")[0].item("extras")
    assert "AU12" in names.texts("targetNames")
    assert client.delete(f"/heads/{job}", params=TOKEN).status_code == 204


def sleeping_run(jobs: HeadJobs):
    """A job whose worker reads for ever: from a pipe that nobody writes to."""
    folder = tempfile.TemporaryDirectory()
    os.mkfifo(Path(folder.name) / "head.obj")
    return jobs.start(folder, Path(folder.name) / "head.obj", "head.obj"), Path(folder.name)


def test_a_cancelled_job_ends_its_process_and_its_files(client, jobs):
    job, folder = sleeping_run(jobs)
    run = jobs._runs[job]
    assert client.delete(f"/heads/{job}", params=TOKEN).status_code == 204
    assert run.finished.wait(20)
    assert run.process.poll() is not None and not folder.exists()


def test_time_is_bounded():
    jobs = HeadJobs(seconds=0.5)
    job, folder = sleeping_run(jobs)
    jobs.wait(job, 20.0)
    status = jobs.status(job)
    assert status is not None and status.state == "failed" and "0.5 seconds" in status.error
    assert not folder.exists()


def test_another_head_ends_the_one_before(jobs):
    first, _ = sleeping_run(jobs)
    process = jobs._runs[first].process
    second, _ = sleeping_run(jobs)
    assert process.wait(20) != 0
    assert jobs.status(first) is None and jobs.status(second) is not None


def test_job_messages_are_json(client, jobs):
    answer = send(client, "a.obj", b"v 0 0 0\n")
    assert set(json.loads(answer.text)) == {"id", "name", "state", "stage", "error"}
