"""Sound and speech: what the server takes and gives, and the lanes of the page: waveform, phones, the audio clock."""

import base64
import dataclasses
import io
import json
import shutil
import tempfile

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from aublend.speech import synthesis
from mesh4d.errors import MeshFormatError
from viewer.embedded_sound import embedded_sound
from viewer.export import export_html
from viewer.messages import DenseCurves, EmbeddedSound, HeadJob, SpeechResult, SpokenPhone, ViewerMetadata
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.scene import embedded_head
from viewer.server import create_app
from viewer.speech_jobs import SEND_AGAIN, SOUND_BYTES, SpeechJobs

ADDRESS = "http://127.0.0.1:8765"
TOKEN = {"token": "a-secret"}
built = pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built")


def in_browser(test):
    missing = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
    return pytest.mark.browser(built(missing(test)))


def wav(seconds: float = 1.0, rate: int = 16_000) -> bytes:
    """A tone that comes and goes."""
    time = np.arange(int(seconds * rate)) / rate
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * np.sin(2 * np.pi * 220 * time) * np.sin(np.pi * time / seconds), rate, format="WAV")
    return buffer.getvalue()


PHONES = (
    SpokenPhone("SIL", 0.0, 0.2, "", 0, 1.0),
    SpokenPhone("B", 0.2, 0.3, "bob", 0, 0.9),
    SpokenPhone("AA", 0.3, 0.6, "bob", 1, 0.9),
    SpokenPhone("B", 0.6, 0.7, "bob", 0, 0.3),
    SpokenPhone("SIL", 0.7, 1.0, "", 0, 1.0),
)


@pytest.fixture
def jobs():
    jobs = SpeechJobs()
    yield jobs
    jobs.close()


@pytest.fixture
def client(client_stub, rig_glb, metadata, jobs):
    return TestClient(create_app(rig_glb, metadata, token="a-secret", speech=jobs), ADDRESS)


def asked(client, head: str = "main", **request):
    fields = {"sound": "", "text": "", "emotion": "", "intensity": 1.0, "phones": []} | request
    return client.post("/speech", params=TOKEN | {"head": head, "name": "x"}, content=json.dumps(fields))


def send(client, content: bytes) -> str:
    answer = client.post("/sounds", params=TOKEN, content=content)
    assert answer.status_code == 200
    return answer.json()["id"]


def done(client, jobs, answer) -> dict:
    job = answer.json()["id"]
    jobs.wait(job, 240.0)
    return client.get(f"/speech/{job}", params=TOKEN).json()


def test_token_and_origin_are_asked_for(client):
    for route in ("/sounds", "/speech"):
        assert client.post(route, content=b"{}").status_code == 403
        foreign = client.post(route, params=TOKEN, content=b"{}", headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
    for method, route in (("get", "/speech/a"), ("delete", "/speech/a"), ("get", "/speech/a/result.json")):
        assert getattr(client, method)(route).status_code == 403
        assert getattr(client, method)(route, params=TOKEN).status_code == 404


@pytest.mark.parametrize(
    ("request_fields", "place"),
    [
        ({}, "expected a sound, or a text"),
        ({"text": 5}, "text"),
        ({"text": "a", "intensity": "much"}, "intensity"),
        ({"text": "a", "phones": [{"symbol": "B"}]}, "phones.0"),
        ({"text": "a", "phones": [dataclasses.asdict(SpokenPhone("B", 2.0, 1.0, "", 0, 1.0))]}, "start <= end"),
        ({"text": "a" * 50_000}, "at most"),
    ],
)
def test_requests_that_cannot_be_answered_are_explained(client, request_fields, place):
    answer = asked(client, **request_fields)
    assert answer.status_code == 422 and place in answer.json()["detail"]


def test_a_sound_that_is_gone_and_an_unknown_head_are_told(client):
    assert asked(client, sound="../../etc/passwd").json()["detail"] == SEND_AGAIN
    first = send(client, wav())
    send(client, wav(0.5))
    assert asked(client, sound=first).status_code == 404
    assert asked(client, head="other", text="hello").status_code == 404


def test_too_large_a_sound_is_refused_and_leaves_nothing(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.rglob("*"))
    assert client.post("/sounds", params=TOKEN, content=bytes(SOUND_BYTES + 1)).status_code == 413
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "content", [b"", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"not a sound at all", b"\x80\x04\x95cposix"]
)
def test_hostile_sounds_are_explained(client, jobs, content):
    status = done(client, jobs, asked(client, sound=send(client, content)))
    assert status["state"] == "failed" and "the sound" in status["error"], status
    assert tempfile.gettempdir() not in status["error"]


def test_a_rig_without_units_cannot_speak(client, jobs):
    """The ball has no lips."""
    status = done(
        client, jobs, asked(client, sound=send(client, wav()), phones=[dataclasses.asdict(p) for p in PHONES])
    )
    assert status["state"] == "failed" and status["error"]


@pytest.fixture(scope="module")
def spoken_results(tmp_path_factory):
    """The embedded head says phones that were given: plain, with emotion, and with a boundary moved."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("static")
        for name in ("viewer.js", "viewer.css"):
            (folder / name).write_text("", encoding="utf-8")
        patch.setattr("viewer.page.STATIC_FOLDER", folder)
        jobs = SpeechJobs()
        client = TestClient(create_app(embedded_head(), ViewerMetadata("head"), token="a-secret", speech=jobs), ADDRESS)
        sound = send(client, wav())
        times = ((0.0, 0.35), (0.35, 0.45), (0.45, 0.6), (0.6, 0.7), (0.7, 1.0))
        moved = [dataclasses.replace(p, start_s=a, end_s=b) for p, (a, b) in zip(PHONES, times, strict=True)]
        results = []
        for emotion, phones in (("", PHONES), ("happiness", PHONES), ("", moved)):
            answer = asked(client, sound=sound, emotion=emotion, phones=[dataclasses.asdict(p) for p in phones])
            status = done(client, jobs, answer)
            assert status["state"] == "done", status
            results.append(client.get(f"/speech/{answer.json()['id']}/result.json", params=TOKEN).json())
        jobs.close()
        return results


def column(result: dict, layer: str, name: str) -> np.ndarray:
    curves = result[layer]
    return np.array(curves["rows"])[:, curves["names"].index(name)]


def test_speech_comes_back_as_layers_and_phones(spoken_results):
    plain, happy, _ = spoken_results
    assert set(plain) == {field.name for field in dataclasses.fields(SpeechResult)}
    assert plain["source"] == "timing file" and plain["fps"] == 60 and plain["sound"] == ""
    assert [(p["symbol"], p["start_s"], p["end_s"]) for p in plain["phones"]] == [
        (p.symbol, p.start_s, p.end_s) for p in PHONES
    ]
    assert column(plain, "speech", "AU26").max() > 0.1
    assert plain["emotion"]["names"] == [] and "AU12" in happy["emotion"]["names"]
    np.testing.assert_array_equal(np.array(plain["speech"]["rows"]), np.array(happy["speech"]["rows"]))


def test_layers_add_up_to_speech_with_emotion(spoken_results):
    """Between 0 and 1 throughout, up to what rounding to four digits makes."""
    happy = spoken_results[1]
    for name in happy["emotion"]["names"]:
        total = column(happy, "emotion", name)
        if name in happy["speech"]["names"]:
            total = total + column(happy, "speech", name)
        assert total.min() > -2e-4 and total.max() < 1 + 2e-4


def test_a_moved_boundary_moves_the_mouth(spoken_results):
    """The jaw opens on AA, which begins 0.15 s later."""
    rises = [
        np.argmax(column(result, "speech", "AU26") > 0.1) / 60 for result in (spoken_results[0], spoken_results[2])
    ]
    assert 0.05 < rises[1] - rises[0] < 0.25


@pytest.mark.skipif(not synthesis.available(), reason="espeak-ng is not installed")
def test_a_text_is_spoken_and_its_sound_comes_along(client_stub, metadata, jobs):
    client = TestClient(create_app(embedded_head(), metadata, token="a-secret", speech=jobs), ADDRESS)
    answer = asked(client, text="Bob met Pam.")
    status = done(client, jobs, answer)
    assert status["state"] == "done", status
    result = client.get(f"/speech/{answer.json()['id']}/result.json", params=TOKEN).json()
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(result["sound"])))
    assert result["source"] == "synthesis" and len(samples) / rate == pytest.approx(result["seconds"], abs=0.02)
    assert sum(p["symbol"] in "BPM" for p in result["phones"]) >= 5


class PromptSpeech(SpeechJobs):
    """Answers at once: half as much jaw as the first phone lasts, so that a moved boundary shows."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = []

    def speak(self, request, rig_glb, name):
        self.requests.append(request)
        return f"job{len(self.requests)}"

    def status(self, job):
        return HeadJob(job, "x", "done", "reading", "")

    def payload(self, job):
        request = self.requests[int(job[3:]) - 1]
        phones = request.phones or PHONES
        rows = tuple((phones[0].end_s,) for _ in range(61))
        emotion = DenseCurves(("AU12",), tuple((0.25,) for _ in range(61))) if request.emotion else DenseCurves((), ())
        result = SpeechResult(
            60.0, 1.0, DenseCurves(("AU1",), rows), emotion, phones, "alignment", 0.9, "bob", (), 0, ""
        )
        return json.dumps(dataclasses.asdict(result)).encode()

    def cancel(self, job):
        return True


LANE = """
  const bytes = Uint8Array.from(atob("SOUND"), (letter) => letter.charCodeAt(0));
  const layer = (name) => app.history.now.layers.find((each) => each.name === name);
  const speech = () => layer("speech").tracks.get("AU1")?.map((k) => k.left.toFixed(3)).join();
  await app.openFile(new File([bytes], "talk.wav", { type: "audio/wav" }));
  state.sound = `${app.history.now.sound.name} ${app.history.now.seconds.toFixed(2)}`;
  state.wave = String(document.querySelector("canvas.wave").getBoundingClientRect().height > 20);
  app.timeline.seek(0.5);
  named("Record").click();
  set(document.getElementById("unit-0"), 0.5);
  named("Record").click();
  const hand = JSON.stringify([...layer("hand").tracks]);
  set(document.querySelector('[aria-label="Emotion"]'), "happiness");
  named("Animate").click();
  await until(() => speech() !== undefined);
  state.speech = speech();
  state.emotion = layer("emotion").tracks.get("AU12").map((k) => k.left).join();
  state.report = document.querySelector(".report").textContent;
  app.timeline.seek(0.5);
  state.sum = app.pose[0].toFixed(4);
  state.phones = [...document.querySelectorAll(".phone")].map((each) => each.textContent).join();
  const boundary = () => document.querySelectorAll(".boundary")[0];
  state.boundary = boundary().getAttribute("aria-label");
  boundary().focus();
  press(boundary(), "ArrowRight", { shiftKey: true });
  await until(() => speech() === "0.250,0.250");
  state.moved = speech();
  state.focus = document.activeElement.getAttribute("aria-valuenow");
  const box = document.querySelector(".phones").getBoundingClientRect();
  drag(boundary(), [5.5, 4], [5.5 - box.width * 0.1, 4]);
  await until(() => speech() === "0.150,0.150");
  state.dragged = app.history.now.phones.slice(0, 2).map((p) => p.end_s.toFixed(3)).join();
  state.hand = String(JSON.stringify([...layer("hand").tracks]) === hand);
  app.undo();
  state.undone = `${speech()} ${app.history.now.phones[0].end_s}`;
  app.undo(); app.undo();
  state.before = String(speech());
  app.redo(); app.redo(); app.redo();
  state.redone = speech();
  const text = app.projectText();
  app.open("back.json", text);
  state.same = String(app.projectText() === text && app.history.now.phones.length === 5);
  const field = () => document.querySelector(".phone-field");
  const named_ = async (symbol) => {
    field().value = symbol;
    press(field(), "Enter");
    await pause(20);
    return app.history.now.phones.map((p) => p.symbol).join();
  };
  document.querySelectorAll(".phone")[1].dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
  state.field = field().getAttribute("aria-label");
  state.renamed = await named_("p");
  press(boundary(), "Enter", { shiftKey: true });
  state.unknown = `${await named_("QQ")} ${document.querySelector(".note.wrong").textContent}`;
  await until(() => document.querySelector(".busy").hidden);
"""


@in_browser
def test_speech_lands_in_its_layers_and_leaves_the_hand_alone(serving, rig_glb, metadata):
    speech = PromptSpeech()
    body = LANE.replace("SOUND", base64.b64encode(wav()).decode())
    state = serving(create_app(rig_glb, metadata, speech=speech)).probe(body)
    assert state["sound"] == "talk.wav 1.00" and state["wave"] == "true"
    assert state["speech"] == "0.200,0.200" and state["emotion"] == "0.25,0.25"
    assert "90 %" in state["report"] and "exactly" in state["report"]
    assert state["sum"] == "0.7000", "0.5 by hand and 0.2 of speech"
    assert state["phones"] == ",B,AA,B,"
    assert state["boundary"] == "Boundary from silence to B"
    assert state["moved"] == "0.250,0.250" and state["focus"] == "0.250"
    assert state["dragged"] == "0.150,0.300"
    assert state["hand"] == "true"
    assert state["undone"] == "0.250,0.250 0.25", "the boundary and what it did are one step"
    assert state["before"] == "undefined" and state["redone"] == "0.150,0.150"
    assert state["same"] == "true"
    assert state["field"] == "Sound in bob, now B" and state["renamed"] == "SIL,P,AA,B,SIL"
    assert state["unknown"] == "SIL,P,AA,B,SIL QQ: expected one of SIL, B, P, AA."
    first, second, third, fourth = speech.requests
    assert first.emotion == second.emotion == third.emotion == "happiness"
    assert [phone.symbol for phone in fourth.phones] == ["SIL", "P", "AA", "B", "SIL"], "a named sound is a hand edit"
    assert first.phones == () and third.phones[0].end_s == pytest.approx(0.15)
    assert first.sound and first.sound == third.sound, "the sound is sent once"


@in_browser
def test_sound_is_back_after_a_reload(serving, rig_glb, metadata):
    tab = serving(create_app(rig_glb, metadata))
    sound = base64.b64encode(wav()).decode()
    tab.probe(f"""
      const bytes = Uint8Array.from(atob("{sound}"), (letter) => letter.charCodeAt(0));
      await app.openFile(new File([bytes], "talk.wav", {{ type: "audio/wav" }}));
      let kept = 0;
      const asked = (request) => new Promise((done) => (request.onsuccess = () => done(request.result)));
      for (let n = 0; n < 200 && kept === 0; n++, await pause(50)) {{
        const database = await asked(indexedDB.open("facet4d sounds"));
        if (database.objectStoreNames.length > 0)
          kept = await asked(database.transaction("sounds").objectStore("sounds").count());
        database.close();
      }}
      if (kept === 0) throw new Error("the sound was not kept");
    """)
    tab.open(tab.run("location.href"))
    state = tab.probe("""
      await until(() => app.timeline.sounds.get(app.history.now.sound) !== null);
      state.seconds = app.timeline.sounds.get(app.history.now.sound).buffer.duration.toFixed(2);
    """)
    assert state["seconds"] == "1.00"


CLOCK = """
  app.open("curves.csv", "time_s,AU1\\n0,0\\n1,1\\n");
  await until(() => app.timeline.sounds.get(app.history.now.sound) !== null);
  app.animator.commit({ loop: false });
  for (const time of [0.25, 0.75, 1.0]) {
    app.timeline.seek(time);
    state[`at${time * 100}`] = app.pose[0].toFixed(9);
  }
  state.editable = String(document.querySelector(".boundary") !== null);
  state.phones = [...document.querySelectorAll(".phone")].map((each) => each.textContent).join();
  const frames = async () => { for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame); };
  // A sound card that is stepped by hand: what is heard decides, not the wall.
  let heard = 5;
  const context = { state: "running", destination: {}, outputLatency: 0.05, baseLatency: 0.01,
    get currentTime() { return heard; }, close: async () => {},
    createBufferSource: () => ({ connect() {}, disconnect() {}, stop() { state.stopped = "true"; },
      start(when, offset) { state.started = `${when} ${offset}`; } }) };
  app.timeline.playback.context = context;
  app.timeline.seek(0.25);
  app.timeline.start();
  await frames();
  heard += 0.31;
  await frames();
  state.played = app.pose[0].toFixed(9);
  heard += 0.2;
  await frames();
  state.further = app.pose[0].toFixed(9);
  app.timeline.pause();
  heard += 0.2;
  await frames();
  state.paused = app.pose[0].toFixed(9);
"""


@in_browser
def test_the_sound_is_the_clock_and_comes_with_an_exported_page(probed, rig_glb, metadata):
    sound = EmbeddedSound("talk.wav", base64.b64encode(wav()).decode(), PHONES)
    state = probed(export_html(rig_glb, dataclasses.replace(metadata, sound=sound)), CLOCK)
    assert [float(state[f"at{place}"]) for place in (25, 75, 100)] == [0.25, 0.75, 1.0]
    assert state["phones"] == ",B,AA,B," and state["editable"] == "false"
    when, offset = map(float, state["started"].split())
    assert when == 5 and offset == pytest.approx(0.25, abs=0.02) and state["stopped"] == "true"
    assert float(state["played"]) == pytest.approx(offset + 0.31 - 0.06, abs=1e-6)
    assert float(state["further"]) == float(state["paused"]) == pytest.approx(offset + 0.51 - 0.06, abs=1e-6)


MICROPHONE = """
  named("Sound").click();
  Object.defineProperty(navigator, "mediaDevices", { configurable: true, value: {
    getUserMedia: async () => { throw new DOMException("no", "NotAllowedError"); } } });
  const record = [...document.querySelectorAll(".speech-panel button")].find((each) => each.textContent === "Record");
  state.disabled = String(record.disabled);
  record.disabled = false;
  record.click();
  await until(() => document.querySelector(".note.wrong") !== null);
  state.refused = document.querySelector(".note.wrong").textContent;
  state.pressed = record.getAttribute("aria-pressed");
  app.openFile(new File(["no sound"], "noise.wav"));
  await until(() => document.querySelector(".note.wrong").textContent.startsWith("noise"));
  state.broken = document.querySelector(".note.wrong").textContent;
"""


@in_browser
def test_a_refused_microphone_and_a_broken_sound_are_explained(probed, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), MICROPHONE)
    assert "not allowed" in state["refused"] and state["pressed"] == "false"
    assert "no sound that this browser can play" in state["broken"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@built
def test_boundaries_stay_between_their_neighbours(page):
    body = "return [0.25, -1, 5, 0.3].map((t) => page.withBoundary(input, 1, t).map((p) => [p.start_s, p.end_s]));"
    found = np.array(page(body, [dataclasses.asdict(p) for p in PHONES]))
    assert found[:, 1, 1].tolist() == found[:, 2, 0].tolist()
    np.testing.assert_allclose(found[:, 1, 1], [0.25, 0.22, 0.58, 0.3])
    np.testing.assert_allclose(found[:, [0, 3, 4]], found[:1, [0, 3, 4]].repeat(4, 0))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@built
def test_the_page_writes_sounds_that_others_read(page):
    samples = np.sin(np.arange(1000) / 9).astype(np.float32)
    body = """
      const samples = Float32Array.from(input);
      const peaks = page.peaksOf(samples, 8000);
      return { file: list(new Uint8Array(page.wavFile(samples, 8000))), high: list(peaks.high), low: list(peaks.low) };
    """
    found = page(body, samples.tolist())
    back, rate = soundfile.read(io.BytesIO(bytes(found["file"])))
    assert rate == 8000
    np.testing.assert_allclose(back, samples, atol=1 / 32000)
    rows = samples.reshape(-1, 20)
    np.testing.assert_allclose(found["high"], np.maximum(rows.max(1), 0), atol=1e-6)
    np.testing.assert_allclose(found["low"], np.minimum(rows.min(1), 0), atol=1e-6)


def test_a_sound_and_its_phones_are_embedded(tmp_path):
    (tmp_path / "talk.wav").write_bytes(wav())
    (tmp_path / "talk.csv").write_text("start,end,phone\n0.2,0.3,B\n0.3,0.6,AA1\n")
    sound = embedded_sound(tmp_path / "talk.wav", tmp_path / "talk.csv")
    assert base64.b64decode(sound.content) == wav() and sound.name == "talk.wav"
    assert [(p.symbol, p.start_s, p.end_s) for p in sound.phones] == [
        ("SIL", 0.0, 0.2), ("B", 0.2, 0.3), ("AA", 0.3, 0.6), ("SIL", 0.6, 1.0)
    ]  # fmt: skip
    (tmp_path / "noise.wav").write_bytes(b"no sound")
    with pytest.raises(MeshFormatError, match=r"noise\.wav"):
        embedded_sound(tmp_path / "noise.wav")
