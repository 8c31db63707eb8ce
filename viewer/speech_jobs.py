"""Speech that a page asks for: sounds that it sends, and jobs that make a head say them, one at a time."""

import dataclasses
import json
import secrets
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError

from viewer.head_jobs import HeadJobs
from viewer.messages import HeadJob, SpeechRequest

SECONDS = 900.0
"""How long a run may take: recognition needs less than a third of the sound's own time on two cores."""
SOUND_BYTES = 64 << 20
"""Half an hour at 16 kHz in 16 bits, which is what the page sends."""
REQUEST_BYTES = 4 << 20
MOST_PHONES = 40_000
LONGEST_TEXT = 40_000
_REQUEST = TypeAdapter(SpeechRequest)
SEND_AGAIN = "the server has this sound no more: send the sound again"


class SpeechJobs(HeadJobs):
    """Starts and watches `viewer.speech_worker`; keeps the last sound that a page sent, and no other."""

    worker = "viewer.speech_worker"
    keeps_source = False

    def __init__(self, seconds: float = SECONDS) -> None:
        super().__init__(seconds)
        self._sound_folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-sound-")
        self._sound_lock = threading.Lock()
        self._sound_id = ""

    def take_sound(self, path: Path) -> str:
        """Keep a sound file in the place of the one before; returns its id. The file is moved."""
        with self._sound_lock:
            shutil.move(path, self._kept)
            self._sound_id = secrets.token_urlsafe(12)
            return self._sound_id

    def speak(self, request: SpeechRequest, rig_glb: bytes, name: str) -> str:
        """Begin a run; returns the job's id.

        Raises:
            KeyError: when the request's sound is not kept here.
        """
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        place = Path(folder.name)
        try:
            with self._sound_lock:
                if request.sound and request.sound != self._sound_id:
                    raise KeyError(request.sound)
                if request.sound:
                    shutil.copyfile(self._kept, place / "sound.wav")
            (place / "rig.glb").write_bytes(rig_glb)
            (place / "request.json").write_text(json.dumps(dataclasses.asdict(request)), encoding="utf-8")
        except (KeyError, OSError):
            folder.cleanup()
            raise
        return self.start(folder, place / "request.json", name)

    def close(self) -> None:
        """End what runs, and forget the sound."""
        super().close()
        self._sound_folder.cleanup()

    @property
    def _kept(self) -> Path:
        return Path(self._sound_folder.name) / "sound.wav"


def add_speech_routes(
    app: FastAPI,
    jobs: SpeechJobs,
    check_token: Callable[[Request], None],
    received: Callable[[Request, Path, int], Awaitable[Path]],
    rig_of: Callable[[str], bytes | None],
    sound_bytes: int = SOUND_BYTES,
) -> None:
    """Routes for sounds and speech.

    Args:
        check_token: raises for a request without the page's token.
        received: writes a request's body to a file, never more than a limit.
        rig_of: the GLB of a head by the id that the page has for it; None for an unknown one.
        sound_bytes: the largest sound that is taken.
    """

    @app.post("/sounds")
    async def take_sound(request: Request) -> Response:
        check_token(request)
        with tempfile.TemporaryDirectory(prefix="mesh4d-viewer-") as folder:
            path = await received(request, Path(folder) / "sound.wav", sound_bytes)
            return _json({"id": jobs.take_sound(path)})

    @app.post("/speech")
    async def begin(request: Request) -> Response:
        check_token(request)
        with tempfile.TemporaryDirectory(prefix="mesh4d-viewer-") as folder:
            path = await received(request, Path(folder) / "request.json", REQUEST_BYTES)
            wanted = _checked(path.read_bytes())
        rig = await run_in_threadpool(rig_of, request.query_params.get("head", ""))
        if rig is None:
            raise HTTPException(404, "the server has this head no more; open it again")
        try:
            job = jobs.speak(wanted, rig, "the sound" if wanted.sound else "the text")
        except KeyError:
            raise HTTPException(404, SEND_AGAIN) from None
        return _job(jobs.status(job))

    @app.get("/speech/{job}")
    def progress(request: Request, job: str) -> Response:
        check_token(request)
        return _job(jobs.status(job))

    @app.get("/speech/{job}/result.json")
    def result(request: Request, job: str) -> Response:
        check_token(request)
        content = jobs.payload(job)
        if content is None:
            raise HTTPException(404, "no such speech, or it is not done")
        return Response(content, media_type="application/json")

    @app.delete("/speech/{job}")
    def cancel(request: Request, job: str) -> Response:
        check_token(request)
        if not jobs.cancel(job):
            raise HTTPException(404, "no such speech")
        return Response(status_code=204)


def _checked(content: bytes) -> SpeechRequest:
    """The request, its fields as they must be.

    Raises:
        HTTPException: 422 says which field is wrong.
    """
    try:
        request = _REQUEST.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "request"
        raise HTTPException(422, f"{place}: {first['msg']}") from None
    if len(request.phones) > MOST_PHONES or len(request.text) > LONGEST_TEXT:
        raise HTTPException(422, f"expected at most {MOST_PHONES} phones and {LONGEST_TEXT} letters")
    if not request.sound and not request.text.strip():
        raise HTTPException(422, "expected a sound, or a text to be spoken")
    if any(not 0 <= phone.start_s <= phone.end_s < 1e5 for phone in request.phones):
        raise HTTPException(422, "phones: expected 0 <= start <= end in seconds")
    return request


def _json(content: object) -> Response:
    return Response(json.dumps(content), media_type="application/json")


def _job(job: HeadJob | None) -> Response:
    if job is None:
        raise HTTPException(404, "no such speech")
    return _json(dataclasses.asdict(job))
