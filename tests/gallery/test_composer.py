"""The page that composes: a browser makes the notes that the model makes of the same numbers.

ONNXRUNTIME_WEB is the folder of onnxruntime-web, as `npm pack onnxruntime-web` gives it.
"""

import base64
import gzip
import io
import json
import os
import re
import resource
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from faults import in_a_child
from untrained import untrained

from core.errors import UserError
from gallery.composer import LOADER, RUNTIME, WASM, Composer
from gallery.page import write_gallery
from musegen.graphs.page import facts_of
from musegen.model import DOMAIN
from musegen.roll import PlayedPhrases

WEB = os.environ.get("ONNXRUNTIME_WEB", "")


@pytest.fixture
def runtime(tmp_path) -> Path:
    """Files of the names of onnxruntime-web's."""
    dist = tmp_path / "package" / "dist"
    dist.mkdir(parents=True)
    for name in (RUNTIME, LOADER, WASM):
        (dist / name).write_bytes(name.encode() * 3)
    return tmp_path


def test_a_composer_s_parts_are_text_that_unpacks_to_the_files(runtime, tmp_path):
    composer = Composer(b"graph \xff", {"name": "<mine>", "tempi": [90.0]}, runtime)
    composer.write(tmp_path / "page")
    folder = tmp_path / "page" / "composer"
    assert (folder / RUNTIME).read_bytes() == RUNTIME.encode() * 3
    contents = {"model": b"graph \xff", "wasm": WASM.encode() * 3, "loader": LOADER.encode() * 3}
    for name, content in contents.items():
        text = (folder / f"{name}.js").read_text()
        found = re.fullmatch(rf'composerParts\.{name} = "([A-Za-z0-9+/=]+)";\n', text)
        assert found and gzip.decompress(base64.b64decode(found[1])) == content
    assert "<p>&lt;mine&gt; composes" in composer.html
    (data,) = re.findall(r'<script type="application/json">(.+?)</script>', composer.html)
    assert json.loads(data) == composer.facts


def test_a_full_disk_leaves_no_half_of_the_runtime(runtime, tmp_path):
    """The kernel refuses the byte after the tenth."""

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        Composer(b"", {}, runtime).write(tmp_path / "page")

    assert in_a_child(write) == 3
    assert not list((tmp_path / "page" / "composer").iterdir())


def test_a_folder_without_onnxruntime_web_says_how_to_get_it(runtime, tmp_path):
    (runtime / "package" / "dist" / WASM).unlink()
    with pytest.raises(UserError, match="npm pack onnxruntime-web"):
        Composer(b"", {}, runtime).write(tmp_path / "page")
    (tmp_path / "evaluation.json").write_text('{"rows": [{"name": "mine"}]}')
    with pytest.raises(UserError, match="npm pack onnxruntime-web"):
        list(write_gallery(tmp_path, tmp_path / "page", composer=Composer(b"", {}, runtime)))
    assert not (tmp_path / "page").exists(), "nothing is written"


def test_a_composer_that_a_page_has_no_longer_is_named(runtime, tmp_path, caplog):
    (tmp_path / "evaluation.json").write_text('{"rows": [{"name": "mine"}]}')
    composer = Composer(b"graph", {}, runtime)
    for one in (composer, composer, None):
        assert not caplog.records
        list(write_gallery(tmp_path, to := tmp_path / "page", composer=one))
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{to / 'index.html'} no longer shows composer, which")
    assert (to / "composer" / RUNTIME).is_file()


def test_the_facts_of_a_model_are_those_of_its_tracks_and_forms():
    model = untrained(DOMAIN, "latent_musegan")
    facts = facts_of(model.name, model.spec, model.graph())
    assert facts["tracks"] == ["Drums", "Piano", "Guitar"]
    assert (facts["drums"], facts["programs"]) == ([0], [0, 0, 24])
    assert (facts["lowest"], facts["steps"]) == (24, 2)
    forms = np.array(facts["forms"])
    assert forms.shape == (64, 2, 3, 3)
    assert (forms <= np.arange(3)[:, None]).all(), "a bar repeats one that was before it"
    assert facts == facts_of(model.name, model.spec, model.graph()), "the same each time"
    other = untrained(DOMAIN, "musegan")
    with pytest.raises(UserError, match="take latent_musegan"):
        facts_of(other.name, other.spec, other.graph())


@pytest.mark.slow
def test_the_page_composes_what_the_model_makes_of_the_same_numbers(tmp_path, browser):
    pytest.importorskip("onnxscript")
    if not WEB:
        pytest.skip("no onnxruntime-web: ONNXRUNTIME_WEB=its folder")
    model = untrained(DOMAIN, "latent_musegan")
    model.export(graph := tmp_path / "songs.onnx")
    facts = facts_of(model.name, model.spec, model.graph()) | {"tempi": [96.0]}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "evaluation.json").write_text('{"rows": [{"name": "mine"}]}')
    composer = Composer(graph.read_bytes(), facts, Path(WEB))
    (page,) = write_gallery(tmp_path / "results", tmp_path / "page", composer=composer)
    tab = browser.new_page()
    tab.set_default_timeout(180_000)
    faults = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    tab.get_by_label("Seed").fill("7")
    tab.get_by_role("button", name="Compose").click()
    tab.wait_for_selector("article audio")
    tab.wait_for_function("document.querySelector('audio').readyState > 0")
    numbers = tab.evaluate(
        "() => { const made = given(7, JSON.parse(document.querySelector('.composer > script')"
        ".textContent)); return { ...made, noise: [...made.noise] }; }"
    )
    noise = torch.tensor([numbers["noise"]])
    assert abs(noise.mean()) < 3 / noise.numel() ** 0.5 and abs(noise.std() - 1) < 0.2
    with torch.no_grad():
        x = model.graph().network(noise, torch.tensor([numbers["form"]]))
    own = PlayedPhrases.of(model.from_x(x)).notes[0]
    step = 60 / 96 / model.spec.grid.steps_per_quarter
    columns = (own.start * step, own.length * step, own.pitch + 24, own.velocity, own.track)
    expected = sorted(tuple(row) for row in np.round(np.stack(columns, 1), 5).tolist())
    assert len(expected) > 5
    song = json.loads(tab.locator("article script").text_content())
    assert sorted(tuple(np.round(row, 5).tolist()) for row in song["notes"]) == expected
    seconds = tab.evaluate("document.querySelector('audio').duration")
    assert abs(seconds - max(row[0] + row[1] for row in expected) - 0.5) < 0.01
    midi = tab.evaluate(
        "async () => [...new Uint8Array(await (await fetch("
        "document.querySelector('a[download$=mid]').href)).arrayBuffer())]"
    )
    read = pretty_midi.PrettyMIDI(io.BytesIO(bytes(midi)))
    assert [one.name for one in read.instruments] == [
        name for n, name in enumerate(facts["tracks"]) if n in set(own.track.tolist())
    ]
    notes = sorted(
        (round(n.start, 3), n.pitch, n.velocity) for one in read.instruments for n in one.notes
    )
    assert notes == sorted((round(row[0], 3), int(row[2]), int(row[3])) for row in expected)
    assert faults == []
