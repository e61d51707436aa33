"""The server's gate: who may enter, and how much is taken in."""

import errno
import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from studio.components.messages import ASIDE
from studio.folder import SONGS, StudioFolder
from studio.page import page
from studio.server import COOKIE, MOST_WAITING, UNKNOWN, Gate, application

TOKEN = "f0Xy-secret"


async def room(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("the room")(scope, receive, send)


def client(token: str = "", most_bytes: int = 1000, base: str = "http://localhost") -> TestClient:
    return TestClient(Gate(room, token, most_bytes), base_url=base)


def test_this_machine_enters_without_a_token():
    for host in ("localhost", "127.0.0.1", "[::1]", "localhost:7860"):
        assert client(base=f"http://{host}").get("/").text == "the room"


@pytest.mark.parametrize(
    "host", ["evil.example", "[::1].evil.example", "[::1", "localhost:evil", "localhost:1@evil"]
)
def test_a_name_of_the_web_that_points_here_is_refused(host: str):
    assert client().get("/", headers={"host": host}).status_code == 403


def test_a_local_name_has_capitals_too():
    assert client().get("/", headers={"host": "LOCALHOST:7860"}).text == "the room"


def test_a_page_of_the_web_cannot_send_here():
    refused = client().post("/x", headers={"origin": "https://evil.example"}, content=b"x")
    assert refused.status_code == 403
    assert client().post("/x", headers={"origin": "http://localhost"}, content=b"x").text == (
        "the room"
    )


@pytest.mark.parametrize("origin", ["null", "file://", "", "http://localhost:8888"])
def test_a_page_without_a_name_cannot_send_here_either(origin: str):
    assert client().post("/x", headers={"origin": origin}, content=b"x").status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_leads_here_and_does_nothing_else(site: str):
    def answered(method: str, mode: str) -> int:
        from_there = {"sec-fetch-site": site, "sec-fetch-mode": mode}
        return client().request(method, "/", headers=from_there).status_code

    assert answered("GET", "navigate") == 200
    for method, mode in (("GET", "no-cors"), ("GET", "cors"), ("POST", "navigate")):
        assert answered(method, mode) == 403


def test_who_goes_away_in_the_middle_is_no_fault(folder: StudioFolder, visitor: TestClient):
    messages = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = [(b"host", b"localhost"), (b"content-length", b"8")]
    place = {"path": "/upload/ffffffffffffffff/a.mid", "query_string": b"", "root_path": ""}
    scope = {"type": "http", "method": "PUT", "headers": headers, **place}

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        pass

    anyio.run(visitor.app, scope, receive, send)
    assert messages == [] and list((folder.root / "uploads" / ("f" * 16)).iterdir()) == []


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=f0Xy-secre", "?t=x"])
def test_elsewhere_nobody_enters_without_the_token(query: str):
    answer = client(TOKEN).get(f"/{query}")
    assert answer.status_code == 401
    assert "token" in answer.text and "the room" not in answer.text


def test_who_came_with_the_token_stays():
    visitor = client(TOKEN, base="http://studio.example")
    first = visitor.get(f"/?token={TOKEN}")
    assert first.text == "the room"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert visitor.get("/file").text == "the room"
    assert client(TOKEN).get("/", headers={"cookie": f"{COOKIE}=wrong"}).status_code == 401


def test_a_page_that_was_open_before_is_no_fault(visitor: TestClient):
    """The studio was started anew; its stream says so, and is loaded anew."""
    answer = visitor.get("/gradio_api/queue/data?session_hash=of-yesterday")
    assert (answer.status_code, '"session_not_found":true' in answer.text) == (200, True)


def test_a_request_is_as_large_as_the_limit_at_most():
    assert client().put("/x", content=b"x" * 1000).text == "the room"
    assert client().put("/x", content=b"x" * 1001).status_code == 413
    assert client().put("/x", content=iter([b"x"])).status_code == 411  # without its length
    assert client().get("/", headers={"content-length": "-5"}).status_code == 413


def test_the_browser_loads_nothing_from_elsewhere():
    policy = client().get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudioFolder:
    folder = StudioFolder.of(tmp_path_factory.mktemp("studio") / "work")
    stems = folder.root / SONGS / "take" / "song-stems"
    stems.mkdir(parents=True)
    (stems / "bass.flac").write_bytes(b"bass")
    (stems.parent / "song.mid").write_bytes(b"song")
    (folder.root.parent / "secret.txt").write_text("of the owner")
    return folder


@pytest.fixture(scope="module")
def visitor(folder: StudioFolder) -> TestClient:
    with gr.Blocks(analytics_enabled=False) as empty:
        gr.Markdown("page")
    return TestClient(application(empty, folder), base_url="http://localhost")


def test_the_page_has_all_rooms_and_loads_nothing_from_elsewhere(folder: StudioFolder):
    visitor = TestClient(application(page(folder), folder), base_url="http://localhost")
    text = visitor.get("/").text
    for room in ("Songs", "Clips", "Your files", "Train", "Runs", "Models"):
        assert f'"label":"{room}"' in text
    assert re.findall(r"<(?:script|link)[^>]*(?:src|href)=.?https?:[^>]*>", text) == []
    assert "fonts.googleapis" not in visitor.get("/theme.css").text


def test_there_are_no_pages_of_the_framework_that_reach_elsewhere(visitor: TestClient):
    for path in ("/docs", "/redoc", "/gradio_api/runs", "/gradio_api/run-history/buckets"):
        assert visitor.get(path).status_code == 404, path


def test_files_of_the_folder_are_shown_and_no_others(visitor: TestClient):
    assert visitor.get("/kept/songs/take/song.mid").content == b"song"
    for path in (
        "/kept/../secret.txt",
        "/kept/%2e%2e/secret.txt",
        "/kept/songs/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/kept//etc/passwd",
        "/runs/..%2f..%2fsecret.txt",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../secret.txt",
        "/zip?of=../secret.txt",
        "/zip?of=..",
        "/zip?of=songs",
        "/zip?of=uploads",
        "/zip?of=songs/take/song.mid",
        f"/zip?of=songs/{'a' * 300}",
    ):
        answer = visitor.get(path)
        assert answer.status_code in (403, 404), path
        assert b"of the owner" not in answer.content and b"root:" not in answer.content


def test_the_stems_of_a_song_and_its_files_are_one_zip(visitor: TestClient):
    for of, expected in (
        ("songs/take/song-stems", {"bass.flac": b"bass"}),
        ("songs/take", {"song.mid": b"song", "song-stems/bass.flac": b"bass"}),
    ):
        answer = visitor.get("/zip", params={"of": of})
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            assert {name: packed.read(name) for name in packed.namelist()} == expected


def test_a_take_that_is_removed_while_it_is_packed_is_missing(
    visitor: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def write(packed: zipfile.ZipFile, path: Path, name: Path) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(zipfile.ZipFile, "write", write)
    answer = visitor.get("/zip", params={"of": "songs/take"})
    assert answer.status_code == 404 and "load the page anew" in answer.text


def test_files_of_any_time_are_packed(visitor: TestClient, folder: StudioFolder):
    song = folder.root / SONGS / "take" / "song.mid"
    os.utime(song, (0, 0))  # 1970, before there were zips
    assert visitor.get("/zip", params={"of": "songs/take"}).status_code == 200


def test_a_task_too_many_is_refused_and_light_answers_are_not(folder: StudioFolder):
    with gr.Blocks(analytics_enabled=False) as busy:
        asked = gr.Textbox()
        asked.submit(str.upper, asked, asked, api_name="slow")
        asked.change(str.upper, asked, asked, api_name="light", **ASIDE)
    visitor = TestClient(application(busy, folder), base_url="http://localhost")
    assert busy._queue.max_size == MOST_WAITING
    busy._queue.max_size = 0
    task = {"data": ["a"], "fn_index": 0, "session_hash": "x"}
    assert visitor.post("/gradio_api/queue/join", json=task).status_code == 503
    light = visitor.post("/gradio_api/run/light", json={"data": ["a"]})
    assert light.json()["data"] == ["A"]


def test_dropped_files_keep_their_paths(visitor: TestClient, folder: StudioFolder):
    batch = "0123456789abcdef"
    assert visitor.put(f"/upload/{batch}/dogs/rex.mp4", content=b"film").status_code == 200
    assert (folder.root / "uploads" / batch / "dogs" / "rex.mp4").read_bytes() == b"film"
    assert visitor.put(f"/upload/{batch}/two%0Alines.mid", content=b"song").status_code == 200
    for wrong in (
        f"/upload/{batch}/..%2f..%2frex.mid",
        f"/upload/{batch}/a/..%2frex.mid",
        f"/upload/{batch}/%2fetc%2frex.mid",
        f"/upload/{batch}/rex.exe",
        f"/upload/{batch}/rex.html",
        "/upload/..%2fsongs/rex.mid",
        "/upload/short/rex.mid",
        f"/upload/{batch}/{'a' * 300}.mid",
    ):
        assert visitor.put(wrong, content=b"x").status_code in (400, 404), wrong
    found = {path.name for path in folder.root.rglob("*") if path.is_file()}
    assert found == {"bass.flac", "song.mid", "rex.mp4", "two\nlines.mid"}


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A visitor of a page with a deed of one field, and one that its browser does."""
    with gr.Blocks(analytics_enabled=False) as page:
        field = gr.Textbox()
        field.change(str.upper, field, field, api_name="light", **ASIDE)
        field.input(None, field, field, js="x => x", **ASIDE)
    folder = StudioFolder.of(tmp_path_factory.mktemp("asker"))
    served = application(page, folder)
    return TestClient(served, base_url="http://localhost", raise_server_exceptions=False)


@pytest.mark.parametrize("address", ["queue/join", "run/predict", "api/predict"])
@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"fn_index": -1}, 404),
        ({"fn_index": 99_999}, 404),
        ({"fn_index": "99999"}, 404),
        ({"fn_index": [0]}, 404),
        ({"fn_index": 1}, 404),  # which the browser does by itself
        ({"fn_index": 0, "data": []}, 422),
    ],
)
def test_a_deed_that_the_page_lacks_or_that_lacks_values_is_refused(
    asker: TestClient, address: str, wrong: dict[str, Any], status: int
):
    asked = {"data": ["a"], "session_hash": "a", **wrong}
    assert asker.post(f"/gradio_api/{address}", json=asked).status_code == status


def test_a_name_that_the_page_lacks_is_refused(asker: TestClient):
    for address in ("run/absent", "api/absent", "call/absent", "call/v2/absent"):
        answer = asker.post(f"/gradio_api/{address}", json={"data": []})
        assert (answer.status_code, answer.json()["detail"]) == (404, UNKNOWN), address
    component = {"session_hash": "a", "component_id": 99_999, "fn_name": "x", "data": 1}
    assert asker.post("/gradio_api/component_server", json=component).status_code == 404


def test_what_the_page_has_is_answered(asker: TestClient):
    for asked in ({"fn_index": 0}, {}):
        light = asker.post("/gradio_api/run/light", json={"data": ["a"], **asked})
        assert light.json()["data"] == ["A"]
    assert asker.post("/gradio_api/call/light", json={"data": ["a"]}).status_code == 200
    sent = asker.post("/gradio_api/upload", files={"files": ("a.mid", b"song")})
    assert Path(sent.json()[0]).read_bytes() == b"song"


def test_a_file_that_the_full_disk_does_not_take_is_refused_with_a_sentence(
    asker: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gradio.route_utils.NamedTemporaryFile", full)
    answer = asker.post("/gradio_api/upload", files={"files": ("a.mid", b"song")})
    assert (answer.status_code, answer.text) == (
        507,
        "cannot write: No space left on device; make room, or see who may write there",
    )


def test_an_address_that_is_too_long_for_a_name_is_that_of_no_file(asker: TestClient):
    assert asker.get(f"/assets/{'a' * 300}").status_code == 404
