"""Folders in the layout of the hub: a round trip is equal to the bit, a fault is a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from untrained import untrained

from core.errors import ConfigError, UserError
from core.ring.model import DOMAIN as RING
from core.ring.model import Model as RingModel
from musegen.model import DOMAIN as MUSIC
from musegen.model import Model as MusicModel
from videogen.model import DOMAIN as VIDEO
from videogen.model import Model as VideoModel

KINDS = [
    (RING, RingModel, "cvae"),
    (MUSIC, MusicModel, "lookback_rnn"),
    (MUSIC, MusicModel, "vq_vae"),
    (VIDEO, VideoModel, "text_to_video"),
]


@pytest.fixture
def folder(tmp_path) -> Path:
    return untrained(RING, "cvae").save_pretrained(tmp_path / "cvae")


def test_a_model_replaces_an_earlier_one_and_no_other_files(folder, tmp_path):
    model = untrained(RING, "cvae")
    (folder / ".gitattributes").touch()
    assert model.save_pretrained(folder) == folder
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").touch()
    (run / "README.md").write_text("mine")
    with pytest.raises(UserError, match=f"{run} is there and holds other files, such as README"):
        model.save_pretrained(run)
    assert (run / "README.md").read_text() == "mine" and len(list(run.iterdir())) == 2


@pytest.mark.parametrize(("domain", "kind", "recipe"), KINDS)
def test_a_round_trip_is_equal_to_the_bit(domain: Any, kind: Any, recipe: str, tmp_path):
    model = untrained(domain, recipe)
    loaded = kind.from_pretrained(model.save_pretrained(tmp_path / "hub"), "cpu")
    assert (loaded.name, loaded.config, loaded.spec) == (model.name, model.config, model.spec)
    own, other = model.networks.state_dict(), loaded.networks.state_dict()
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)


@pytest.mark.slow
def test_shipped_weights_make_the_same_clip_from_the_folder(tmp_path):
    model = VideoModel.load("shapes", "cpu")
    loaded = VideoModel.from_pretrained(model.save_pretrained(tmp_path / "hub"), "cpu")
    caption = [model.spec.examples[0]]
    assert torch.equal(model.clips(caption, seed=4), loaded.clips(caption, seed=4))


def test_the_folder_is_laid_out_as_the_hub_has_it(folder):
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    _, metadata, text = (folder / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(metadata) == {
        "library_name": "pianoreel",
        "tags": ["pianoreel", "two-dimensional"],
        "model_name": "tiny_cvae",
    }
    assert "from core.ring.model import Model" in text
    assert "A generative model of points with" in text
    config = json.loads((folder / "config.json").read_text())
    assert (config["domain"], config["model"]["recipe"]) == ("ring", "cvae")


def test_a_fault_is_named(folder, tmp_path):
    def refused(match: str) -> None:
        with pytest.raises(UserError, match=match):
            RingModel.from_pretrained(folder)

    wrong = "of pianoreel ring, and this class loads those of video: import .* README.md"
    with pytest.raises(UserError, match=wrong):
        VideoModel.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] * float("nan")}, folder / "model.safetensors")
    refused(f"values that are not finite: {name}")
    save_file({key: weights[key] for key in weights if key != name}, folder / "model.safetensors")
    refused("model.safetensors does not fit config.json")
    (folder / "model.safetensors").write_bytes(b"\xff" * 99)
    refused("model.safetensors is damaged")
    (folder / "model.safetensors").unlink()
    refused("has no model.safetensors")
    (folder / "config.json").write_text("{")
    refused("config.json is damaged")
    (folder / "config.json").write_text("{}")
    refused("of another library")
    (folder / "config.json").unlink()
    refused("has no config.json")


def test_a_setting_that_is_not_known_is_named(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["model"]["latnt"] = 3
    path.write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"unknown key 'model\.latnt': did you mean 'latent'"):
        RingModel.from_pretrained(folder)
