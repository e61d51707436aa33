"""Checkpoints: whole or absent, refused where a bit has changed, and never a way to run code."""

import contextlib
import copy
import errno
import json
import os
import pickle
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from faults import equal, in_a_child, kill_at
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import Resumable, UserError
from core.training import checkpoint as module
from core.training.checkpoint import (
    Checkpoint,
    Corrupt,
    Index,
    fill_from_cache,
    first_intact,
    recover,
    save_checkpoint,
)
from core.training.run import Run
from core.training.serialisation import join, size_bytes, split

STATE: dict[str, Any] = {
    "networks": {"a.weight": torch.tensor([[1.0, -2.5]]), "a.count": torch.tensor(7)},
    "ema": {"a.weight": torch.tensor([[0.5, 1 / 3]])},
    "progress": {"rate": 1e-4, "betas": (0.5, 0.9), "groups": [{"amsgrad": False, "eps": None}]},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "step-00000003"
    save_checkpoint(folder, STATE, {"step": 3, "seconds": 0.125})
    return folder


def test_a_state_comes_back_to_the_bit(saved: Path):
    stored = Checkpoint.open(saved)
    assert equal(stored.state(), STATE)
    assert stored.facts == {"step": 3, "seconds": 0.125}
    assert stored.groups == ("networks", "ema", "progress")


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_an_optimizer_goes_on_as_if_it_had_not_stopped(tmp_path: Path, kind: Callable[..., Any]):
    def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
        optimizer.zero_grad()
        network(x).square().sum().backward()
        optimizer.step()

    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    optimizer = kind(network.parameters(), lr=0.3)
    batches = torch.randn(4, 7, 3)
    for x in batches[:2]:
        step(network, optimizer, x)
    state = {"networks": network.state_dict(), "optimizers": {"a": optimizer.state_dict()}}
    save_checkpoint(tmp_path / "best", state, {})
    assert equal(Checkpoint.open(tmp_path / "best").group("optimizers"), state["optimizers"])

    restored = copy.deepcopy(network)
    stored = Checkpoint.open(tmp_path / "best")
    stored.fill(restored, "networks")
    resumed = kind(restored.parameters(), lr=9.0)
    resumed.load_state_dict(stored.group("optimizers")["a"])
    for x in batches[2:]:
        step(network, optimizer, x)
        step(restored, resumed, x)
    assert equal(dict(network.state_dict()), dict(restored.state_dict()))
    assert equal(optimizer.state_dict(), resumed.state_dict())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty(0, 3),
        torch.tensor(True),
        torch.tensor([1.5, -0.0], dtype=torch.bfloat16),
        torch.arange(6).reshape(2, 3).T,
        torch.tensor([2**62 + 1]),
    ],
)
def test_any_tensor_comes_back(tmp_path: Path, tensor: torch.Tensor):
    save_checkpoint(tmp_path / "best", {"one": {"x": tensor, "tied": tensor}}, {})
    assert equal(
        Checkpoint.open(tmp_path / "best").state(), {"one": {"x": tensor, "tied": tensor}}
    )


def test_two_tensors_of_one_name_are_not_confused():
    with pytest.raises(ValueError, match="a/b"):
        split({"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}}, "group")


def test_join_undoes_split():
    value, tensors = split(STATE, "all")
    assert equal(join(json.loads(json.dumps(value)), tensors), STATE)
    assert tensors == {}


def test_sizes_are_in_bytes():
    assert size_bytes(STATE) == 2 * 4 + 8 + 2 * 4


@pytest.mark.parametrize("name", ["networks.safetensors", "ema.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["truncated", "emptied", "flipped", "missing"])
def test_a_damaged_file_is_named(saved: Path, name: str, harm: str):
    path = saved / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0b100
    changed = {"truncated": data[:-3], "emptied": b"", "flipped": data, "missing": b""}[harm]
    path.write_bytes(changed)
    if harm == "missing":
        path.unlink()
    with pytest.raises(Corrupt, match=name):
        Checkpoint.open(saved)


def test_no_flipped_bit_of_the_index_changes_what_is_read(saved: Path):
    """One bit of each byte, a different one each time."""
    path = saved / "state.json"
    data = path.read_bytes()
    facts = {"step": 3, "seconds": 0.125}
    accepted = 0
    for place in range(len(data)):
        flipped = data[place] ^ 1 << place * 3 % 8
        path.write_bytes(data[:place] + bytes([flipped]) + data[place + 1 :])
        try:
            stored = Checkpoint.open(saved)
        except Corrupt:
            continue
        accepted += 1  # 1e-04 and 1E-04 are one number
        assert stored.facts == facts
        assert equal(stored.group("progress"), STATE["progress"])
    assert accepted < 10


class Bomb:
    """A malicious pickle: unpickling it makes the folder `exploded`."""

    def __init__(self, at: Path):
        self.at = at

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.at),)


def reseal(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the index as someone would who can compute every digest."""
    values = json.loads((folder / "state.json").read_text())
    for name in values["files"]:
        path = folder / name
        stored = {"sha256": module.digest(path), "bytes": path.stat().st_size}
        values["files"][name] = stored if path.exists() else values["files"][name]
    values.pop("sha256", None)
    change(values)
    (folder / "state.json").write_text(json.dumps(values))


def test_a_pickle_in_place_of_weights_runs_no_code(saved: Path, tmp_path: Path):
    path = saved / "networks.safetensors"
    bomb = {"a.weight": Bomb(tmp_path / "exploded")}
    for write in (lambda: path.write_bytes(pickle.dumps(bomb)), lambda: torch.save(bomb, path)):
        write()
        reseal(saved, lambda values: None)
        with pytest.raises(Corrupt, match=r"networks\.safetensors"):
            Checkpoint.open(saved).state()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(code="import os"),
        lambda v: v["files"].update({"../../secret.safetensors": {"sha256": "", "bytes": 1}}),
        lambda v: v["files"].update({"networks.pt": {"sha256": "", "bytes": 1}}),
        lambda v: v["files"].update({"networks.safetensors": {}}),
        lambda v: v.update(files=[]),
        lambda v: v.update(facts="step 3"),
        lambda v: v.pop("groups"),
    ],
)
def test_an_index_of_another_form_is_refused(saved: Path, change: Callable[..., Any]):
    reseal(saved, change)
    with pytest.raises(Corrupt, match=r"state\.json"):
        Checkpoint.open(saved)


@pytest.mark.parametrize(
    "group",
    [
        {"dict": [["a.weight", "tensor:/elsewhere"]]},
        {"dict": [["a.weight", "tensor:/a.weight"]]},  # its other tensor belongs nowhere
        {"dict": [["a.weight"]]},
        {"object": ["os.system", "ls"]},
        {"list": 3},
        {},
    ],
)
def test_a_group_that_does_not_fit_its_file_is_refused(saved: Path, group: Any):
    reseal(saved, lambda values: values["groups"].update(networks=group))
    with pytest.raises(Corrupt, match=r"networks\.safetensors"):
        Checkpoint.open(saved).group("networks")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a checkpoint."""
    folder = tmp_path_factory.mktemp("whole") / "best"
    save_checkpoint(folder, STATE, {"step": 3})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=40)
@given(
    st.sampled_from(["ema.safetensors", "networks.safetensors", "state.json"]),
    st.integers(0, 1500),
    st.binary(min_size=1, max_size=4),
)
def test_any_changed_bytes_are_refused_or_do_not_matter(
    whole: dict[str, bytes], name: str, place: int, new: bytes
):
    """Also where someone has computed every digest anew: no other error, and no code runs."""
    data = bytearray(whole[name])
    place %= len(data)
    data[place : place + len(new)] = new
    with tempfile.TemporaryDirectory() as folder:
        for file, content in (whole | {name: bytes(data)}).items():
            (Path(folder) / file).write_bytes(content)
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            reseal(Path(folder), lambda values: None)
        with contextlib.suppress(Corrupt):
            Checkpoint.open(Path(folder)).state()


def test_a_bottomless_index_is_refused(saved: Path):
    (saved / "state.json").write_text('{"facts": ' + "[" * 200_000)
    with pytest.raises(Corrupt, match=r"state\.json"):
        Checkpoint.open(saved)


def test_a_file_that_no_digest_covers_is_not_read(saved: Path):
    save_file({"/rate": torch.zeros(1)}, saved / "progress.safetensors")
    assert equal(Checkpoint.open(saved).group("progress"), STATE["progress"])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, r"weight is \[2, 4\].*\[2, 3\]"),
        ({"weight": torch.zeros(2, 3).int(), "bias": torch.zeros(2)}, r"\[2, 3\] of torch.int32"),
        ({"weight": torch.zeros(2, 3)}, r"bias is absent where \[2\] belongs; .* train it anew"),
        (
            {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "gain": torch.zeros(5)},
            r"gain is \[5\] where nothing belongs",
        ),
        ({}, "and 1 more"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, weights: Any, said: str):
    save_checkpoint(tmp_path / "best", {"networks": weights}, {})
    linear = nn.Linear(3, 2)
    before = copy.deepcopy(linear.state_dict())
    with pytest.raises(UserError, match=said):
        Checkpoint.open(tmp_path / "best").fill(linear, "networks")
    assert equal(dict(linear.state_dict()), dict(before))


@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(saved: Path, value: float):
    """Nobody saves them: the file was made elsewhere, with digests that fit."""
    path = saved / "ema.safetensors"
    save_file({"/a.weight": torch.tensor([[0.5, value]])}, path)
    reseal(saved, lambda values: None)
    with pytest.raises(Corrupt, match=rf"not finite \(/a.weight\): delete {saved}"):
        Checkpoint.open(saved).group("ema")


@pytest.mark.parametrize(
    "facts",
    [
        *({"step": step} for step in ("3", None, [3], True, 10**400, float("nan"))),
        {"step": 3, "seconds": "1.5"},
    ],
)
def test_facts_that_are_no_numbers_are_refused(saved: Path, facts: dict[str, Any]):
    reseal(saved, lambda values: values.update(facts=facts))
    with pytest.raises(Corrupt, match=rf"{saved}/state\.json"):
        Checkpoint.open(saved)


def test_an_index_that_cannot_be_read_says_why(saved: Path, monkeypatch):
    closed = PermissionError(13, "Permission denied", str(saved / "state.json"))
    monkeypatch.setattr(module, "read_json", Mock(side_effect=closed))
    with pytest.raises(Corrupt, match=r"state\.json cannot be read: Permission denied: have "):
        Checkpoint.open(saved)


def test_a_fact_that_is_missing_is_named(saved: Path):
    with pytest.raises(Corrupt, match=f"has no best: delete {saved}"):
        Checkpoint.open(saved).fact("best")


def test_weights_can_be_read_by_whoever_can_read_other_files(tmp_path: Path):
    before = os.umask(0o027)
    try:
        save_checkpoint(tmp_path / "best", STATE, {})
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "best").iterdir()}
    assert set(modes.values()) == {0o640}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_never_saved(tmp_path: Path, value: float):
    save_checkpoint(tmp_path / "best", STATE, {"step": 1})
    broken = {"networks": STATE["networks"], "ema": {"bad": torch.tensor([0.0, value])}}
    with pytest.raises(Resumable, match=r"ema/bad is not finite"):
        save_checkpoint(tmp_path / "best", broken, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert Checkpoint.open(tmp_path / "best").facts == {"step": 1}


@pytest.mark.parametrize("where", ["save_file", "sync", "_replace"])
def test_a_full_disk_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    save_checkpoint(tmp_path / "best", STATE, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, where, full)
    with pytest.raises(Resumable, match=r"best: No space left on device; make room: earlier"):
        save_checkpoint(tmp_path / "best", STATE, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert Checkpoint.open(tmp_path / "best").facts == {"step": 1}


@pytest.mark.parametrize("limit_bytes", [0, 700, 2_000_000])
def test_a_disk_that_fills_while_weights_are_written_is_resumable(
    tmp_path: Path, limit_bytes: int
):
    """The kernel refuses the byte after the limit: to safetensors, which has its own error."""
    save_checkpoint(tmp_path / "best", STATE, {"step": 1})
    large = {"small": {"x": torch.zeros(100)}, "large": {"x": torch.zeros(1_000_000)}}

    def save() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        save_checkpoint(tmp_path / "best", large, {"step": 2})

    assert in_a_child(save) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert equal(Checkpoint.open(tmp_path / "best").state(), STATE)


@pytest.mark.parametrize(
    ("limit_bytes", "file"), [(0, "a"), (700, "b"), (3_000, "c"), (100_000, "d")]
)
def test_a_kill_at_byte_k_of_file_j_leaves_the_earlier_checkpoint(
    tmp_path: Path, limit_bytes: int, file: str, caplog: pytest.LogCaptureFixture
):
    """Files grow from a to d: the limit lets those before `file` pass."""
    sizes = {"a": 10, "b": 300, "c": 2_000, "d": 50_000}
    state = {name: {"x": torch.zeros(size)} for name, size in sizes.items()}
    save_checkpoint(tmp_path / "step-00000001", STATE, {"step": 1})

    def save() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills, no Python runs
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        save_checkpoint(tmp_path / "step-00000002", state, {"step": 2})

    assert in_a_child(save) == -signal.SIGXFSZ
    (left,) = tmp_path.glob(".*")
    finished = {path.name for path in left.glob("*.safetensors") if not path.name.startswith(".")}
    assert finished == {f"{name}.safetensors" for name in sizes if name < file}
    recover(tmp_path)
    assert str(left) in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_kill_anywhere_in_a_save_loses_nothing(tmp_path: Path):
    """Step 3 replaces the best and pushes step 1 out; killed at each touch of the disk."""
    started = tmp_path / "started"
    with Run.open(started, {}) as run:
        run.save(1, STATE, {"step": 1})
        run.save_if_best(0.5, STATE, {"step": 1})
        run.save(2, STATE, {"step": 2})
    touch, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        touch += 1
        folder = tmp_path / f"killed-{touch}"
        shutil.copytree(started, folder)

        def save(folder: Path = folder, touch: int = touch) -> None:
            run = Run(folder, {})
            kill_at(touch, folder)
            run.save(3, STATE, {"step": 3})
            run.save_if_best(0.25, STATE, {"step": 3})

        code = in_a_child(save)
        with Run.open(folder, {}) as run:
            latest, best = run.latest(), run.best()
            assert latest is not None and latest.facts["step"] in (2, 3), touch
            assert best is not None and best.facts["step"] in (1, 3), touch
            assert best.facts["step"] == 1 or latest.facts["step"] == 3, touch
            assert equal(latest.state(), STATE) and equal(best.state(), STATE)
            run.save(4, STATE, {"step": 4})
            names = sorted(path.name for path in run.checkpoints.iterdir())
            assert names == ["best", f"step-{latest.facts['step']:08d}", "step-00000004"], touch
    assert code == 0
    assert touch > 20


def test_a_new_name_is_on_the_disk_before_what_it_replaces_is_removed(
    saved: Path, monkeypatch: pytest.MonkeyPatch
):
    """A rename survives a power cut once the folder that holds it is synced."""
    done: list[tuple[str, Path]] = []
    sync, remove = module.sync, shutil.rmtree

    def noted(verb: str, act: Callable[..., None], path: Path, **options: Any) -> None:
        done.append((verb, path))
        act(path, **options)

    monkeypatch.setattr(module, "sync", partial(noted, "sync", sync))
    monkeypatch.setattr(module.shutil, "rmtree", partial(noted, "remove", remove))
    save_checkpoint(saved, STATE, {"step": 3})
    assert done[-3] == ("sync", saved.parent)
    assert done[-2][0] == "remove" and done[-2][1].name.startswith(f".{saved.name}.")


def test_the_first_intact_checkpoint_is_used(saved: Path, caplog: pytest.LogCaptureFixture):
    broken = saved.with_name("step-00000004")
    save_checkpoint(broken, STATE, {"step": 4})
    (broken / "ema.safetensors").unlink()
    found = first_intact([broken, saved])
    assert found is not None and found.folder == saved
    assert "step-00000004/ema.safetensors is missing" in caplog.text
    with pytest.raises(Corrupt, match=r"no checkpoint is intact.*ema\.safetensors"):
        first_intact([broken])
    assert first_intact([]) is None


def test_a_classifier_is_trained_once_for_each_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """And anew where its cached weights are damaged."""
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    trained: list[int] = []

    def filled(settings: tuple[int, ...]) -> float:
        classifier = nn.Linear(1, 1, bias=False)

        def fit() -> None:
            trained.append(settings[-1])
            nn.init.constant_(classifier.weight, len(trained))

        fill_from_cache(classifier, settings, fit)
        return classifier.weight.item()

    assert [filled((2, 7)), filled((2, 8)), filled((2, 7))] == [1, 2, 1]
    for path in tmp_path.glob("classifiers/*/*.safetensors"):
        path.write_bytes(b"damaged")
    assert [filled((2, 7)), filled((2, 7))] == [3, 3]
    assert trained == [7, 8, 7]


def test_a_cached_classifier_of_another_architecture_is_trained_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After an update the settings are the same, and its layers are not."""
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    trained: list[int] = []
    for size in (1, 2, 2):
        fill_from_cache(nn.Linear(size, 1), "settings", partial(trained.append, size))
    assert trained == [1, 2]


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The classifier is trained and not kept, as in a container without a home."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path / "file"))
    classifier = nn.Linear(1, 1)

    def fit() -> None:
        nn.init.constant_(classifier.weight, 7)

    fill_from_cache(classifier, "settings", fit)
    assert classifier.weight.item() == 7
    assert f"not kept in {tmp_path}/file" in caplog.text and "PIANOREEL_CACHE" in caplog.text


def test_files_are_plain_safetensors(saved: Path):
    assert load_file(saved / "networks.safetensors")["/a.weight"].tolist() == [[1.0, -2.5]]


def test_the_seal_of_an_index_does_not_depend_on_the_order_of_its_keys():
    one = Index(facts={"step": 1, "seconds": 2.5}, groups={}, files={})
    other = Index(files={}, groups={}, facts={"seconds": 2.5, "step": 1})
    assert one.seal() == other.seal() != Index(facts={"step": 2}, groups={}, files={}).seal()


def test_a_checkpoint_in_a_folder_of_a_name_that_is_no_utf8_is_read(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9") / "step-00000001"
    save_checkpoint(folder, STATE, {"step": 1})
    assert equal(Checkpoint.open(folder).state(), STATE)
