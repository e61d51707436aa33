"""The page: its rooms as tabs, and the command's way to open it."""

import contextlib
import errno
import logging
import os
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import gradio as gr

from core.errors import UserError
from core.files import locked
from studio import child, following
from studio.components.messages import ASIDE
from studio.folder import StudioFolder
from studio.rooms.clips import ClipRoom
from studio.rooms.files import FileRoom
from studio.rooms.models import ModelRoom
from studio.rooms.runs import RunRoom
from studio.rooms.songs import SongRoom
from studio.rooms.training import TrainRoom
from studio.server import LOOPBACK, application, new_token

if TYPE_CHECKING:
    import uvicorn

TITLE = "pianoreel studio"
DAY = 24 * 60 * 60
"""Seconds after which what was sent is removed."""


def page(folder: StudioFolder) -> gr.Blocks:
    """Build the page over a folder."""
    rooms = {
        "Songs": SongRoom(folder),
        "Clips": ClipRoom(folder),
        "Your files": FileRoom(folder),
        "Train": TrainRoom(folder),
        "Runs": RunRoom(folder),
        "Models": ModelRoom(),
    }
    with gr.Blocks(
        analytics_enabled=False,
        title=TITLE,
        fill_width=True,
        delete_cache=(60 * 60, DAY),
    ) as blocks:
        gr.HTML(f"<header class='masthead'><h1>{TITLE}</h1></header>", apply_default_css=False)
        with gr.Tabs(elem_id="rooms"):
            for name, room in rooms.items():
                with gr.Tab(name, id=name.lower().replace(" ", "-")) as tab:
                    room.layout()
                for entered in (blocks.load, tab.select):
                    handler, inputs, outputs = room.on_entry
                    entered(handler, inputs, outputs, **ASIDE)
    return blocks


def serve(folder: StudioFolder, host: str, port: int) -> None:
    """Serve the page until it is interrupted.

    `UserError` where the port is taken, and where another studio is open in the folder.
    """
    import uvicorn

    token = "" if host in LOOPBACK else new_token()
    with locked(folder.root), bound(host, port) as listening:
        received = folder.root / ".received"
        os.environ["GRADIO_TEMP_DIR"] = str(received)
        clear(received)
        config = uvicorn.Config(
            application(page(folder), folder, token),
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        query = f"/?token={token}" if token else ""
        print(
            f"the studio is open at http://{_shown(host)}:{listening.getsockname()[1]}{query}",
            flush=True,
        )
        server = uvicorn.Server(config)
        end_quietly(server)
        try:
            server.run(sockets=[listening])
        finally:
            try:
                following.stop_all()
            finally:  # also where a second signal ends the waiting
                child.stop_all()


def clear(received: Path) -> None:
    """Remove the parts of files that were broken off while they were sent, as none is sent now."""
    for path in received.glob("tmp*"):
        with contextlib.suppress(OSError):
            path.unlink()


def end_quietly(server: "uvicorn.Server") -> None:
    """Have the server end by SIGHUP as by the others, and keep quiet of pages that are still open.

    Each page has a stream that never ends by itself.
    """
    end, hang_up = server.handle_exit, signal.getsignal(signal.SIGHUP)

    def ending(sig: int, frame: FrameType | None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        if sig == signal.SIGHUP:
            signal.signal(sig, hang_up)  # the server sends itself the signal when it has ended
        end(sig, frame)

    server.handle_exit = ending
    if hang_up is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, ending)


def _shown(host: str) -> str:
    """Return the name of an address in a browser.

    >>> _shown("127.0.0.1"), _shown("fe80::1"), _shown("studio.local")
    ('localhost', '[fe80::1]', 'studio.local')
    """
    if host in LOOPBACK:
        return "localhost"
    if host in ("", "0.0.0.0", "::"):  # all addresses of this machine
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; `UserError` where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen()  # until one listens, others can be bound to its port
    except (OSError, TypeError) as error:  # the latter for what is no name at all
        found.close()
        is_taken = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        other, why = "--port" if is_taken else "--host", getattr(error, "strerror", error)
        raise UserError(f"cannot open {host}:{port}: {why}; choose another {other}") from error
    return found
