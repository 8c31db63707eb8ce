"""Routes about heads beside their upload: identities, styles, maps, sequences to solve, and FACET-VLM's readings."""

import dataclasses
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response

from mesh4d.errors import MeshError, SpecError
from mesh4d.io.registry import FORMATS, format_suffix
from viewer.compact import page_payload
from viewer.frame_archive import ARCHIVE_SUFFIXES
from viewer.head_jobs import SequenceJobs
from viewer.head_shelf import HeadShelf
from viewer.messages import HeadJob
from viewer.opening_jobs import OpeningJobs
from viewer.readings import MOST_FACES, MOST_VERTICES, ReadingError, Readings, SupersededError, UnknownSurfaceError

SEQUENCE_BYTES = 2 << 30
SURFACE_BYTES = 12 * (MOST_VERTICES + MOST_FACES) + 8

Check = Callable[[Request], None]
Received = Callable[[Request, Path, int], Awaitable[Path]]


def add_identity_routes(app: FastAPI, shelf: HeadShelf, check_token: Check) -> None:
    """Embedded heads by their seed, and where landmarks and regions are on any head."""

    @app.get("/identities/{seed}/rig.bin")
    def identity(request: Request, seed: int) -> Response:
        check_token(request)
        from viewer.identities import identity_glb

        try:
            content = identity_glb(_checked_seed(seed), request.query_params.get("style", "natural"))
        except SpecError as error:
            raise HTTPException(404, str(error)) from None
        return Response(page_payload(content), media_type="application/octet-stream")

    @app.get("/identities/{seed}/picture.png")
    def picture(request: Request, seed: int) -> Response:
        check_token(request)
        from viewer.identities import identity_picture

        return Response(identity_picture(_checked_seed(seed)), media_type="image/png")

    @app.get("/map.json")
    def places(request: Request) -> Response:
        check_token(request)
        try:
            content = shelf.map_json(request.query_params.get("head", ""))
        except MeshError as error:
            raise HTTPException(422, str(error)) from None
        if content is None:
            raise HTTPException(404, "the server has this head no more; open it again")
        return Response(content, media_type="application/json")


def add_sequence_routes(
    app: FastAPI,
    jobs: SequenceJobs,
    shelf: HeadShelf,
    own: OpeningJobs,
    check_token: Check,
    received: Received,
    sequence_bytes: int = SEQUENCE_BYTES,
) -> None:
    """Sequences that are solved to the curves of a head."""

    @app.post("/sequences")
    async def begin(request: Request) -> Response:
        check_token(request)
        number = request.query_params.get("opening")
        name = "" if number is not None else _sequence_name(request.query_params.get("name", ""))
        rig = shelf.glb(request.query_params.get("head", ""))
        if rig is None:
            raise HTTPException(404, "the server has this head no more; open it again")
        if number is not None:
            return _job(own.motion(number, rig))
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        try:
            source = Path(folder.name) / f"sequence{format_suffix(Path(name))}"
            await received(request, source, sequence_bytes)
        except HTTPException:
            folder.cleanup()
            raise
        rig_file = Path(folder.name) / "rig.glb"
        rig_file.write_bytes(rig)
        return _job(jobs.status(jobs.start(folder, source, name, str(rig_file))))

    @app.get("/sequences/{job}")
    def progress(request: Request, job: str) -> Response:
        check_token(request)
        return _job(jobs.status(job))

    @app.get("/sequences/{job}/curves.json")
    def curves(request: Request, job: str) -> Response:
        check_token(request)
        content = jobs.payload(job)
        if content is None:
            raise HTTPException(404, "no such sequence, or it is not done")
        return Response(content, media_type="application/json")

    @app.delete("/sequences/{job}")
    def cancel(request: Request, job: str) -> Response:
        check_token(request)
        if not jobs.cancel(job):
            raise HTTPException(404, "no such sequence")
        return Response(status_code=204)


def add_reading_routes(app: FastAPI, readings: Readings, check_token: Check, received: Received) -> None:
    """What FACET-VLM says of the face that is shown."""

    @app.put("/surfaces/{key}")
    async def keep(request: Request, key: str) -> Response:
        check_token(request)
        content = await _body(request, received)
        try:
            readings.keep(key[:80], content)
        except ReadingError as error:
            raise HTTPException(422, str(error)) from None
        return _json({})

    @app.post("/readings")
    async def read(request: Request) -> Response:
        check_token(request)
        content = await _body(request, received)
        from starlette.concurrency import run_in_threadpool

        try:
            reading = await run_in_threadpool(readings.read, request.query_params.get("surface", ""), content)
        except SupersededError as error:
            raise HTTPException(409, str(error)) from None
        except UnknownSurfaceError as error:
            raise HTTPException(404, str(error)) from None
        except ReadingError as error:
            raise HTTPException(422, str(error)) from None
        return _json(dataclasses.asdict(reading))


async def _body(request: Request, received: Received) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mesh4d-viewer-") as folder:
        return (await received(request, Path(folder) / "surface", SURFACE_BYTES)).read_bytes()


def _checked_seed(seed: int) -> int:
    from viewer.identities import LARGEST_SEED

    if not 0 <= seed <= LARGEST_SEED:
        raise HTTPException(404, f"heads are numbered 0 to {LARGEST_SEED}")
    return seed


def _sequence_name(given: str) -> str:
    """A name to speak of and to take the format from; never a path.

    Raises:
        HTTPException: 415 when no reader takes such files.
    """
    name = re.sub(r"[^\w. ()-]", "_", given.replace("\\", "/").rpartition("/")[2], flags=re.ASCII)[-80:]
    suffix, kind = format_suffix(Path(name)), FORMATS.get(format_suffix(Path(name)))
    if suffix in ARCHIVE_SUFFIXES or (kind is not None and kind.read_sequence is not None and not kind.is_folder):
        return name
    known = [each for each, entry in FORMATS.items() if entry.read_sequence is not None and not entry.is_folder]
    raise HTTPException(415, f"{name or 'the file'}: expected one of {', '.join([*known, *ARCHIVE_SUFFIXES])}")


def _json(content: object) -> Response:
    return Response(json.dumps(content), media_type="application/json")


def _job(job: HeadJob | None) -> Response:
    if job is None:
        raise HTTPException(404, "no such sequence")
    return _json(dataclasses.asdict(job))
