"""The studio in a real browser, as a user clicks."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from browsing import IN_A_BROWSER, MILLISECONDS, Server, User
from tunes import tune

from musegen.files.midi import read_midi
from musegen.model import DOMAIN

pytestmark = IN_A_BROWSER


def make_song(user: User, seed: int) -> None:
    """Make a song of four bars with the quickest model."""
    user.choose("Model", "latent_musegan")
    user.sees("strings")
    user.fill("Bars", "4")
    user.fill("Seed", str(seed))
    user.press("Make songs")
    user.page.locator("h2", has_text=f"latent_musegan-seed{seed}-1").wait_for()
    user.sees("1 made")


def song_of(server: Server, name: str) -> Path:
    return next(server.folder.glob(f"songs/*/{name}.mid"))


def bass_of(path: Path) -> list[list[int]]:
    notes = read_midi(path).notes.of(3)
    return np.stack([notes.start, notes.pitch, notes.length, notes.velocity]).tolist()


def test_a_song_plays_and_its_locked_bass_stays(user: User, server: Server):
    make_song(user, 21)
    user.waits_until("document.querySelector('.stage audio').duration > 0")
    ends = user.asks("document.querySelector('.stage audio').duration")
    song = song_of(server, "latent_musegan-seed21-1")
    seconds = read_midi(song).roll().seconds
    assert seconds - 2 < ends <= seconds + 2.1  # the last notes ring out
    user.asks("document.querySelector('.stage audio').play()")
    user.waits_until("parseFloat(document.querySelector('.cursor').style.left) > 5")
    user.press("Mute Drums")
    user.waits_until("document.querySelector('.stage audio').muted")
    assert "Drums" not in user.asks("document.querySelector('.stage').dataset.audible")
    user.press("Mute Drums")
    user.waits_until("!document.querySelector('.stage audio').muted")
    user.press("Lock Bass")
    user.press("Again, but keep the locked tracks")
    user.page.locator(".stage h2", has_text="accompaniment-latent_musegan-seed21-1").wait_for()
    (second,) = server.folder.glob("songs/*/*accompaniment-latent_musegan-seed21-1*.mid")
    assert bass_of(second) == bass_of(song) != []
    assert read_midi(second).notes.pitch.tolist() != read_midi(song).notes.pitch.tolist()


def test_bars_are_chosen_with_the_mouse_and_filled(user: User, server: Server):
    make_song(user, 22)
    user.page.locator(".roll").scroll_into_view_if_needed()
    box = user.page.locator(".roll").bounding_box()
    assert box
    bar, y = box["width"] / 4, box["y"] + 60
    user.page.mouse.move(box["x"] + 1.3 * bar, y)
    user.page.mouse.down()
    user.page.mouse.move(box["x"] + 2.6 * bar, y, steps=4)
    user.page.mouse.up()
    user.waits_until(
        "document.querySelector('#fill-bars input,#fill-bars textarea').value == '2-3'"
    )
    user.press("Fill these bars")
    user.page.locator(".stage h2", has_text="fill-latent_musegan-seed22-1").wait_for()
    (filled,) = server.folder.glob("songs/*/*fill-latent_musegan-seed22-1*.mid")
    before, after = (
        read_midi(path).notes for path in (song_of(server, "latent_musegan-seed22-1"), filled)
    )
    for notes, others in ((before, after), (after, before)):
        outside = (notes.start < 48) | (notes.start >= 3 * 48)
        rest = (others.start < 48) | (others.start >= 3 * 48)
        assert notes[outside].key().tolist() == others[rest].key().tolist()


def test_songs_are_there_when_the_page_is_loaded_anew(user: User, server: Server):
    make_song(user, 23)
    make_song(user, 24)
    user.page.reload()
    for name in ("latent_musegan-seed24-1", "latent_musegan-seed23-1"):  # the older one too
        user.page.locator(".card", has_text=name).first.click()
        user.page.locator(".stage h2", has_text=name).wait_for()


def test_a_song_of_ones_own_is_opened_and_a_broken_one_is_explained(user: User, tmp_path: Path):
    (tmp_path / "mine.mid").write_bytes(tune(1))
    (tmp_path / "broken.mid").write_bytes(b"no music")
    upload = user.page.locator("input[type=file][accept*='.mid']").first
    upload.set_input_files(tmp_path / "mine.mid")
    user.page.locator(".stage h2", has_text="mine").wait_for()
    upload.set_input_files(tmp_path / "broken.mid")
    user.sees("broken.mid")
    assert "Traceback" not in user.page.content()


def test_a_sentence_becomes_a_clip_that_plays(user: User):
    user.enter("Clips")
    sentences = user.page.locator("#captions textarea")
    sentences.fill("a purple dog")
    user.sees("nearest:")
    sentences.fill("A small red circle is moving in a zigzag path towards north")
    user.press("Make clips")
    user.sees("1 made")
    user.waits_until("document.querySelector('.clips video')?.currentTime > 0.2")
    video = "document.querySelector('.clips video')"
    assert user.asks(f"[{video}.duration, {video}.videoWidth, {video}.error]") == [2, 256, None]


def test_a_dropped_folder_is_read_and_a_model_trained_on_it(
    user: User, server: Server, tmp_path: Path
):
    songs = tmp_path / "my songs"
    songs.mkdir()
    for number in range(4):
        (songs / f"{number}.mid").write_bytes(tune(number))
    (songs / "broken.mid").write_bytes(b"no music")
    user.enter("Your files")
    user.page.locator(".drop input[webkitdirectory]").set_input_files(songs)
    user.sees("5 received")
    user.fill("Name of the collection", "mine")
    user.fill("Bars of a phrase", "4")
    user.press("Read them")
    user.sees("mine is ready")
    user.sees("5 files: 4 kept, 1 rejected")
    user.sees("broken.mid")
    user.waits_until("document.querySelector('.report img').naturalWidth > 400")

    user.page.reload()
    user.enter("Train")
    user.choose("Model", "vae")
    user.page.get_by_label("tiny:").click()
    user.fill("Minutes", "30")
    user.fill("Name of the run", "first")
    user.press("Start")
    user.sees("being trained")
    user.waits_until("document.querySelectorAll('.curves svg').length > 1")
    user.waits_until("document.querySelector('.samples img')?.naturalWidth > 100")
    user.sees("of about")
    user.press("Save and stop")
    user.sees("first: not being trained")
    assert list((server.folder / "runs" / "first" / "checkpoints").iterdir())
    before = (server.folder / "runs" / "first" / "metrics.jsonl").read_text()
    user.press("Go on")
    user.sees("first: being trained")
    user.press("Save and stop")
    user.sees("first: not being trained")
    assert (server.folder / "runs" / "first" / "metrics.jsonl").read_text().startswith(before[:40])

    user.enter("Runs")
    user.press("Look again")
    user.page.locator(".side-by-side", has_text="first").wait_for()


def test_a_huge_file_is_refused(user: User, tmp_path: Path):
    huge = tmp_path / "huge.mid"
    with huge.open("wb") as file:
        file.truncate(600 * 2**20)
    user.enter("Your files")
    user.page.locator(".drop input[multiple]").set_input_files(huge)
    user.sees("0 received; not taken")


def test_two_users_at_once_have_the_songs_that_each_would_have_alone(
    server: Server, chromium: Any
):
    users = [User(chromium, server.address) for _ in range(2)]
    for user in users:
        user.choose("Model", "latent_musegan")
        user.sees("strings")
        user.fill("Bars", "4")
        user.fill("Songs", "2")
        user.fill("Seed", "31")
    for user in users:
        user.page.get_by_role("button", name="Make songs").click(no_wait_after=True)
    for user in users:
        user.sees("2 made")
        user.leave()
    for name in ("latent_musegan-seed31-1", "latent_musegan-seed32-1"):
        one, other = (path.read_bytes() for path in server.folder.glob(f"songs/*/{name}.mid"))
        assert one == other


def test_elsewhere_only_the_token_opens_the_studio(chromium: Any, tmp_path: Path):
    server = Server(tmp_path / "work", "--host", "0.0.0.0")
    port, token = re.search(r":(\d+)/\?token=(.+)", server.address).groups()  # type: ignore[union-attr]
    page = chromium.new_context().new_page()
    address = f"http://127.0.0.1:{port}"
    page.set_default_timeout(MILLISECONDS)
    assert page.goto(f"{address}/?token=wrong").status == 401
    assert "Make songs" not in page.content()
    page.goto(f"{address}/?token={token}")
    page.get_by_role("button", name="Make songs").wait_for()
    page.context.close()
    server.close()


def test_a_song_goes_on_is_varied_and_leads_to_another(user: User, server: Server):
    make_song(user, 41)
    user.fill("Bars to add", "2")
    user.press("Continue")
    user.page.locator(".stage h2", has_text="continuation-latent_musegan-seed41-1").wait_for()
    (longer,) = server.folder.glob("songs/*/*continuation-latent_musegan-seed41-1*.mid")
    assert read_midi(longer).bars == 6
    make_song(user, 43)
    user.press("Vary")
    user.page.locator(
        ".stage h2", has_text="latent_musegan-seed44-variation-latent_musegan-seed43-1-1"
    ).wait_for()
    first = user.page.locator(".shelf li", has_text="latent_musegan-seed41-1").last
    second = user.page.locator(".shelf li", has_text="latent_musegan-seed43-1").first
    first.scroll_into_view_if_needed()
    first.drag_to(second)
    user.page.locator(".stage h2", has_text="interpolation").wait_for()


def test_the_stop_button_stops(user: User, server: Server):
    user.fill("Songs", "16")
    user.fill("Bars", "8")
    user.fill("Seed", "1000")
    user.press("Make songs")
    user.page.locator("h2", has_text="seed1000-1").wait_for()
    user.press("Stop")
    user.sees("stopped; what was made stays")
    user.page.wait_for_timeout(5000)
    assert 1 <= len(list(server.folder.glob("songs/*/*seed10??-1.mid"))) < 16


def test_a_long_song_stops_at_once_and_leaves_no_trace_in_the_next(user: User, server: Server):
    make_song(user, 51)
    others = set(server.folder.glob("songs/*/lookback_rnn-*"))
    user.choose("Model", "lookback_rnn")
    user.fill("Bars", "128")
    user.press("Make songs")
    user.sees("makes song 1 of 1")
    user.press("Stop")
    user.sees("stopped; what was made stays")
    make_song(user, 51)
    one, other = (
        path.read_bytes() for path in server.folder.glob("songs/*/latent_musegan-seed51-1.mid")
    )
    assert one == other
    assert set(server.folder.glob("songs/*/lookback_rnn-*")) == others


def test_a_clip_changes_on_the_way_and_several_are_packed(user: User, server: Server):
    circle = "A small red circle is moving in a zigzag path towards north"
    square = "A large blue square is moving in a straight line towards east"
    user.enter("Clips")
    user.page.locator("#captions textarea").fill(f"{circle}\n{square}")
    user.press("Make clips")
    user.sees("2 made")
    with user.page.expect_download() as packed:
        user.page.get_by_role("link", name="all as .zip").first.click()
    with zipfile.ZipFile(packed.value.path()) as files:
        assert [Path(name).suffix for name in files.namelist()] == [".gif", ".mp4", ".txt"] * 2
    user.page.get_by_role("button", name="On the way").click()
    user.page.get_by_role("button", name="Length, music and files").click()
    user.page.locator("#captions textarea").fill(circle)
    user.page.locator("#into").locator("input, textarea").fill(square)
    user.page.get_by_label("Ends as it begins: a loop").check()
    user.choose("Music, a new song by", "latent_musegan")
    user.press("Make clips")
    user.sees("1 made")
    video = user.page.locator(".clips video:not([autoplay])").first
    video.evaluate("(video) => { video.muted = true; return video.play() }")
    user.waits_until("document.querySelector('.clips video:not([autoplay])').currentTime > 0.2")
    user.sees(f"{circle}, into {square}")


def test_a_model_that_was_deleted_is_answered_with_a_sentence(user: User, server: Server):
    run = server.folder / "runs" / "fleeting"
    shutil.copytree(DOMAIN.folder("latent_musegan"), run)
    user.page.reload()
    user.sees("Obeys")
    user.choose("Model", "fleeting")
    user.sees("strings")
    shutil.rmtree(run / "checkpoints")
    user.press("Make songs")
    user.sees("fleeting")
    assert "Traceback" not in user.page.content()
    shutil.rmtree(run)
    user.enter("Clips")
    user.enter("Songs")  # who comes back finds what there is
    user.waits_until("!document.body.innerText.includes('is no run')")


def test_a_full_queue_says_so_and_the_room_goes_on(chromium: Any, tmp_path: Path):
    before = "import studio.server; studio.server.MOST_WAITING = 1"
    server = Server(tmp_path / "work", before=before)
    users = [User(chromium, server.address) for _ in range(3)]
    for user in users:
        user.fill("Songs", "16")  # the first ones last until the last one asks
        user.fill("Bars", "64")
        user.press("Make songs")
        user.page.wait_for_timeout(1000)
    users[-1].sees("busy")
    users[-1].enter("Models")  # what needs no turn is there
    users[-1].sees("Wasserstein")
    for user in users:
        user.page.context.close()
    server.close()
