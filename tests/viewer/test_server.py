import gzip
import json

import pytest
from fastapi.testclient import TestClient

from viewer.compact import compact_glb
from viewer.page import ClientMissingError
from viewer.server import create_app

ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture
def app(client_stub, rig_glb, metadata):
    return create_app(rig_glb, metadata, token="a-secret")


@pytest.fixture
def client(app):
    return TestClient(app, base_url=ADDRESS)


@pytest.mark.parametrize("route", ["/", "/rig.bin", "/metadata.json"])
def test_page_and_data_ask_for_the_token(client, route):
    assert client.get(route).status_code == 403
    assert client.get(route, params={"token": "wrong"}).status_code == 403
    assert client.get(route, params={"token": "a-secrét"}).status_code == 403
    assert client.get(route, params={"token": "a-secret"}).status_code == 200


def test_data_are_what_the_app_was_given(client, rig_glb, metadata):
    rig = client.get("/rig.bin?token=a-secret")
    assert gzip.decompress(rig.content) == compact_glb(rig_glb)
    labels = client.get("/metadata.json?token=a-secret").json()
    assert labels["title"] == metadata.title
    assert labels["emotions"][1] == {"name": "contempt", "units": {"AU12L": 0.6}}


def test_random_tokens_differ(client_stub, rig_glb, metadata):
    tokens = {create_app(rig_glb, metadata).state.token for _ in range(3)}
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "https://127.0.0.1:8765"])
def test_foreign_origin_is_refused_even_with_the_token(client, origin):
    answer = client.get("/rig.bin?token=a-secret", headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.content[:2] != b"\x1f\x8b"


def test_own_origin_is_served(client):
    assert client.get("/rig.bin?token=a-secret", headers={"Origin": ADDRESS}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "[::1", ""])
def test_other_host_names_are_refused(client, host):
    assert client.get("/viewer.js", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8765", "[::1]:8765"])
def test_loopback_names_are_served(client, host):
    assert client.get("/viewer.js", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/..%2f..%2fpyproject.toml", "/viewer.js/../../cli.py", "/static/viewer.js", "/cli.py"],
)
def test_no_path_is_opened(client, path):
    assert client.get(path, params={"token": "a-secret"}).status_code in (403, 404)


def test_nothing_but_reading_is_offered(client):
    assert client.post("/rig.bin?token=a-secret", content=b"x").status_code == 405
    assert client.get("/openapi.json").status_code == 404


def test_page_forbids_foreign_scripts_and_frames(client):
    policy = client.get("/?token=a-secret").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy


def test_unbuilt_client_is_explained(tmp_path, monkeypatch, rig_glb, metadata):
    monkeypatch.setattr("viewer.page.STATIC_FOLDER", tmp_path)
    with pytest.raises(ClientMissingError, match="make viewer"):
        create_app(rig_glb, metadata)


def test_labels_are_plain_json(client):
    assert json.loads(client.get("/metadata.json?token=a-secret").text)["autoplay"] is False
