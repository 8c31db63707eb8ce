"""The local server: one rig in memory, for whoever knows the token. No path that a client sends is ever opened."""

import secrets
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from viewer.compact import page_payload
from viewer.messages import ViewerMetadata
from viewer.page import SCRIPT_NAME, STYLE_NAME, client_file, metadata_json, served_page

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
) -> FastAPI:
    """The application for one rig. The page is at `/?token=TOKEN`; the token is in `app.state.token`.

    Args:
        glb_bytes: the rig.
        metadata: labels and presets.
        token: secret that the page and its data ask for; a random one by default.
        allowed_hosts: names under which the server may be addressed (without port); others are refused, so that no
            foreign site can reach it through a name of its own.

    Raises:
        ClientMissingError: when the client was never built.
    """
    script, style, payload = client_file(SCRIPT_NAME), client_file(STYLE_NAME), page_payload(glb_bytes)
    app = FastAPI(title="mesh4d-viewer", docs_url=None, redoc_url=None, openapi_url=None)
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
