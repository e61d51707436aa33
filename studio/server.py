"""The server of the page: who may enter, how much is taken in, and that nothing goes out.

Bound to this machine alone it answers only to its own names, so that no page of the web can reach
it by a name that points here (DNS rebinding). Bound elsewhere it asks for the token.
"""

import errno
import hmac
import html
import io
import re
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
from fastapi import Depends, FastAPI, HTTPException
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import UserError
from studio.components.messages import refused
from studio.folder import ADDRESS, NO_FILE, RUNS_ADDRESS, StudioFolder, parsed
from studio.rooms.models import THEORY_ADDRESS, docs
from studio.theme import STYLE, theme
from studio.uploads import Reception

LOOPBACK = ("127.0.0.1", "::1", "localhost")
COOKIE = "pianoreel-studio"
MOST_BYTES = 512 * 1024 * 1024
"""The largest request, and the largest file in it."""
MOST_WAITING = 32
"""Tasks that wait for their turn; a further one is refused."""
UNKNOWN = "the page has no such thing: load it anew"

POLICY = "; ".join(
    (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
        "connect-src 'self' blob: data:",
        "frame-ancestors 'self'",
    )
)
"""The browser is to load and send nothing from and to elsewhere."""


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Gate:
    """An ASGI application behind a gate: a token or a local name, and a limit of size.

    `token`: empty where the server is bound to this machine alone.
    """

    application: ASGIApp
    token: str = ""
    most_bytes: int = MOST_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 401 without the token, 403 by a foreign name, 413 when too large."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        refusal = self.refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        try:
            await self.application(scope, receive, self._with_headers(scope, send))
        except ClientDisconnect:  # who goes away in the middle of sending waits for no answer
            pass
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body"})  # it is said in the stream already

    def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused; None to one that is let in."""
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        if self.token and not self._has_token(scope, headers):
            return HTMLResponse(_door(), 401)
        if not self.token and _host(headers.get("host", "")) not in LOOPBACK:
            return PlainTextResponse("this studio answers to local names alone", 403)
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers:
            return PlainTextResponse("give the length of what you send", 411)
        if _is_of_another_page(scope.get("method", ""), headers):
            return PlainTextResponse("another page may not use this studio", 403)
        if not length.isdecimal() or int(length) > self.most_bytes:
            return PlainTextResponse(f"at most {self.most_bytes // 2**20} MB at once", 413)
        return None

    def _has_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        given = [morsel.value if morsel else "", _token_in(scope)]
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in given)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        """Return a `send` that adds the policy, and the cookie to who came with the token."""
        added = {
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        if self.token and _token_in(scope):
            added["set-cookie"] = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                rows = [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*message.get("headers", []), *rows]}
            await send(message)

        return sending


def _host(header: str) -> str:
    """Return the name in a Host header, without its port; empty for what is no name.

    >>> _host("localhost:7860"), _host("[::1]:7860"), _host("127.0.0.1"), _host("[::1].example")
    ('localhost', '::1', '127.0.0.1', '')
    """
    found = re.fullmatch(r"(\[([0-9a-f:]+)\]|[^][:@]+)(:\d+)?", header.lower())
    return (found[2] or found[1]) if found else ""


def _is_of_another_page(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a page that is none of the studio has its visitor's browser send this.

    A link that leads here is followed. An origin is also `null`, that of a page in a sandbox.
    """
    leads_here = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not leads_here:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _token_in(scope: Scope) -> str:
    found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])
    return found[0]


def _door() -> str:
    """Return the page that asks for the token."""
    css = html.escape("body{font:1rem/1.6 system-ui,sans-serif;max-width:28rem;margin:15vh auto}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>pianoreel studio</title>'
        f'<meta name="viewport" content="width=device-width"><style>{css}</style>'
        "<h1>pianoreel studio</h1><p>The address of this studio ends with its token: copy the "
        "whole line from the terminal in which it was started, or type the token here.</p>"
        '<form><label>Token <input name="token" type="password" autofocus></label> '
        "<button>Enter</button></form></html>"
    )


class PathOfFile(PathConvertor):
    """The path of a file in an address, in which lines may end, as in names of files."""

    regex = "(?s:.*)"


def application(page: gr.Blocks, folder: StudioFolder, token: str = "") -> Gate:
    """Return the server's application: the page, and the files that it shows."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/zip")
    def zipped(of: str) -> Response:
        """Return the files of a take, of its stems or of its frames, as one zip."""
        return _zipped(folder, of)

    reception = Reception(folder, MOST_BYTES)

    register_url_convertor("path_of_file", PathOfFile())

    @app.put("/upload/{batch}/{name:path_of_file}")
    async def upload(batch: str, name: str, request: Request) -> Response:
        """Receive a dropped file; see `studio.uploads`."""
        try:
            await reception.receive(batch, name, request.stream())
        except UserError as error:
            return PlainTextResponse(str(error), 400)
        return PlainTextResponse("received")

    app.mount(ADDRESS, StaticFiles(directory=folder.root), "kept")
    app.mount(RUNS_ADDRESS, StaticFiles(directory=folder.runs), "runs")
    if theory := docs():
        app.mount(THEORY_ADDRESS, StaticFiles(directory=theory), "theory")
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=4)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=theme(),
        css_paths=[STYLE],
        app_kwargs={
            "dependencies": [Depends(partial(require_known, page))],
            "exception_handlers": {OSError: _not_kept},
        },
    )
    return Gate(app, token)


async def require_known(page: gr.Blocks, request: Request) -> None:
    """Refuse a request for what the page does not have.

    `HTTPException`: 404 for a deed or a component that is not there, and 422 for a deed that is
    given fewer values than it has fields.
    """
    asked = await _json(request)
    name, number = request.path_params.get("api_name"), asked.get("fn_index")
    if number is not None:
        deed = page.fns.get(number) if isinstance(number, int) else None
        if deed is None or deed.fn is None:
            raise HTTPException(404, UNKNOWN)
        given = asked.get("data")
        if isinstance(given, list) and len(given) < len(deed.inputs):
            raise HTTPException(422, f"give {len(deed.inputs)} values, not {len(given)}")
    elif name is not None and all(deed.api_name != name for deed in page.fns.values()):
        raise HTTPException(404, UNKNOWN)
    component = asked.get("component_id", 0)
    if "component_id" in asked and not (isinstance(component, int) and component in page.blocks):
        raise HTTPException(404, UNKNOWN)


async def _not_kept(_: Request, error: Exception) -> Response:
    """Answer who sends a file to a full disk, or asks for a name that no file can have."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return PlainTextResponse(NO_FILE, 404)
    if said := refused(error):
        return PlainTextResponse(said, 507)
    raise error


async def _json(request: Request) -> dict[str, Any]:
    """Return what a request of JSON says, empty for anything else; a file is left unread."""
    if "json" not in request.headers.get("content-type", ""):
        return {}
    return parsed((await request.body()).decode(errors="replace"), {})


def _zipped(folder: StudioFolder, identity: str) -> Response:
    stream = io.BytesIO()
    try:
        path = folder.find_folder(identity)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
            for file in sorted(path.rglob("*.*")):
                if file.is_file() and not file.is_symlink():
                    packed.write(file, file.relative_to(path))
    except UserError as error:
        return PlainTextResponse(str(error), 404)
    except OSError:  # a file was removed meanwhile
        return PlainTextResponse(NO_FILE, 404)
    name = f'attachment; filename="{path.name}.zip"'.encode("ascii", "replace").decode()
    return Response(stream.getvalue(), 200, {"content-disposition": name}, "application/zip")
