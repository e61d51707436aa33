"""The snippets of pages in docs/ run as they stand."""

import re
from pathlib import Path

import pytest
from untrained import untrained

from musegen.model import DOMAIN as MUSIC

REPOSITORY = Path(__file__).parent.parent


def snippets(page: str) -> str:
    """Return the Python of a page, from top to bottom."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.slow
def test_the_ten_calls_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(snippets("api.md"), found)
    assert {path.name for path in tmp_path.glob("*.mid")} >= {"song.mid", "latent_musegan 1.mid"}
    assert found["error"] < 1e-4  # type: ignore[operator]
    assert (tmp_path / "my-model" / "model.safetensors").is_file()


@pytest.mark.slow
def test_onnxruntime_alone_samples_notes(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    untrained(MUSIC, "lookback_rnn").export("notes.onnx")
    found: dict[str, list] = {}
    exec(snippets("export.md"), found)
    steps = [int(note[0]) for note in found["notes"]]
    assert steps == sorted(steps)


def test_each_command_of_the_page_has_json():
    """The table of docs/api.md names them all."""
    from typer.main import get_command

    from cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    groups = {name: commands[name].commands for name in ("music", "video", "voice", "ring")}
    named = [groups[g][c] for g in groups for c in groups[g] if c != "sprites"]
    named += [commands[name] for name in ("reel", "gallery", "models", "export", "doctor")]
    without = [one.name for one in named if not any("--json" in p.opts for p in one.params)]
    assert without == []
