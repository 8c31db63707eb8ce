"""The local server: a rig in memory, and heads that the page sends, for whoever knows the token.

No path that a client sends is ever opened: a file gets a name of ours, and a process of its own reads it.
"""

import contextlib
import dataclasses
import json
import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from mesh4d.io.registry import FORMATS, format_suffix
from viewer.compact import page_payload
from viewer.head_jobs import HeadJobs
from viewer.head_routes import SequenceJobs, add_identity_routes, add_reading_routes, add_sequence_routes
from viewer.head_shelf import HeadShelf
from viewer.messages import HeadJob, ViewerMetadata
from viewer.opening_jobs import OpeningJobs
from viewer.openings import Opening
from viewer.page import SCRIPT_NAME, STYLE_NAME, client_file, metadata_json, served_page
from viewer.readings import Readings
from viewer.speech_jobs import SpeechJobs, add_speech_routes

UPLOAD_BYTES = 256 << 20
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def create_app(
    glb_bytes: bytes,
    metadata: ViewerMetadata,
    token: str | None = None,
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS,
    upload_bytes: int = UPLOAD_BYTES,
    jobs: HeadJobs | None = None,
    speech: SpeechJobs | None = None,
    sequences: SequenceJobs | None = None,
    readings: Readings | None = None,
    openings: Sequence[Opening] = (),
) -> FastAPI:
    """The application for one rig. The page is at `/?token=TOKEN`; the token is in `app.state.token`.

    Args:
        glb_bytes: the rig.
        metadata: labels and presets.
        token: secret that the page and its data ask for; a random one by default.
        allowed_hosts: names under which the server may be addressed (without port); others are refused, so that no
            foreign site can reach it through a name of its own.
        upload_bytes: the largest head file that is taken.
        jobs: where heads are worked on.
        speech: where speech is worked on.
        sequences: where sequences are solved.
        readings: where faces are read.
        openings: what the page may ask for by its number; `metadata.openings` tells it of them.

    Raises:
        ClientMissingError: when the client was never built.
    """
    script, style, payload = client_file(SCRIPT_NAME), client_file(STYLE_NAME), page_payload(glb_bytes)
    jobs, speech = jobs or HeadJobs(), speech or SpeechJobs()
    sequences, readings = sequences or SequenceJobs(), readings or Readings()
    shelf = HeadShelf(glb_bytes, jobs)
    own = OpeningJobs(openings, jobs, sequences)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        for each in (jobs, speech, sequences, readings):
            each.close()

    app = FastAPI(title="mesh4d-viewer", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.token = token or secrets.token_urlsafe(24)

    def check_token(request: Request) -> None:
        given = request.query_params.get("token", "")
        if not secrets.compare_digest(given.encode(), app.state.token.encode()):
            raise HTTPException(403, "wrong or missing token; open the address that mesh4d-viewer printed")

    @app.middleware("http")
    async def guard(request: Request, call_next):
        if not _same_site(request, allowed_hosts):
            return Response("refused: foreign host or origin", status_code=403)
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def page(request: Request) -> HTMLResponse:
        check_token(request)
        return HTMLResponse(served_page(metadata.title))

    @app.get(f"/{SCRIPT_NAME}")
    def client_script() -> Response:
        return Response(script, media_type="text/javascript")

    @app.get(f"/{STYLE_NAME}")
    def client_style() -> Response:
        return Response(style, media_type="text/css")

    @app.get("/rig.bin")
    def rig(request: Request) -> Response:
        check_token(request)
        return Response(payload, media_type="application/octet-stream")

    @app.post("/heads")
    async def receive(request: Request) -> Response:
        check_token(request)
        if kept := request.query_params.get("of"):
            again = jobs.again(kept, request.query_params.get("style", "natural")[:40])
            return _job_answer(None if again is None else jobs.status(again))
        if (number := request.query_params.get("opening")) is not None:
            return _job_answer(own.head(number))
        name = _file_name(request.query_params.get("name", ""))
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        try:
            source = await _received(request, Path(folder.name) / f"head{format_suffix(Path(name))}", upload_bytes)
        except HTTPException:
            folder.cleanup()
            raise
        return _job_answer(jobs.status(jobs.start(folder, source, name)))

    @app.get("/heads/{job}")
    def progress(request: Request, job: str) -> Response:
        check_token(request)
        return _job_answer(jobs.status(job))

    @app.get("/heads/{job}/rig.bin")
    def head(request: Request, job: str) -> Response:
        check_token(request)
        content = jobs.payload(job)
        if content is None:
            raise HTTPException(404, "no such head, or it is not done")
        return Response(content, media_type="application/octet-stream")

    @app.delete("/heads/{job}")
    def cancel(request: Request, job: str) -> Response:
        check_token(request)
        if not jobs.cancel(job):
            raise HTTPException(404, "no such head")
        return Response(status_code=204)

    add_speech_routes(app, speech, check_token, _received, shelf.glb)
    add_identity_routes(app, shelf, check_token)
    add_sequence_routes(app, sequences, shelf, own, check_token, _received)
    add_reading_routes(app, readings, check_token, _received)

    @app.get("/metadata.json")
    def labels(request: Request) -> Response:
        check_token(request)
        return Response(metadata_json(metadata), media_type="application/json")

    return app


def _same_site(request: Request, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether the Host header names us and an Origin, if sent, is our own."""
    host = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if name not in allowed_hosts:
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{host}"


def _file_name(given: str) -> str:
    """A name to speak of and to take the format from; never a path.

    Raises:
        HTTPException: 415 when no reader takes such files.
    """
    name = re.sub(r"[^\w. ()-]", "_", given.replace("\\", "/").rpartition("/")[2], flags=re.ASCII)[-80:]
    kind = FORMATS.get(format_suffix(Path(name)))
    if kind is None or kind.read_mesh is None:
        known = ", ".join(suffix for suffix, each in FORMATS.items() if each.read_mesh is not None)
        raise HTTPException(415, f"{name or 'the file'}: expected one of {known}")
    return name


async def _received(request: Request, path: Path, limit: int) -> Path:
    """Write the request's body to a file as it arrives, never more than the limit.

    Raises:
        HTTPException: 413 when there is more.
    """
    size = 0
    with path.open("wb") as file:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise HTTPException(413, f"the file has more than {limit / (1 << 20):g} MiB")
            file.write(part)
    return path


def _job_answer(job: HeadJob | None) -> Response:
    if job is None:
        raise HTTPException(404, "no such head")
    return Response(json.dumps(dataclasses.asdict(job)), media_type="application/json")
