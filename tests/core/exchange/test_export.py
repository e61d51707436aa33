"""Exported generators give what the models give; exported weights are the weights."""

import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import jaxtyping
import pytest
import torch
from command import run
from conftest import REPOSITORY
from faults import in_a_child
from safetensors import safe_open
from torch import Tensor, nn
from untrained import GENERATORS, untrained

from core.app.domain import find_domain
from core.errors import ConfigError, UserError
from core.exchange import export as export_module
from core.exchange.export import (
    NO_REPORTS,
    _needed,
    _tracing,
    format_of,
    largest_error,
    program_of,
    write_graph,
)
from core.exchange.graph import Graph
from core.ring.model import DOMAIN as RING
from core.training.run import Run
from musegen.model import DOMAIN as MUSIC
from videogen.model import DOMAIN as VIDEO

FAMILIES = list(GENERATORS)
SLOW_TO_TRACE = {
    *("clips of a gist", "clips of streams", "notes", "notes of a voice"),
    *("clips of clauses", "clips of n-grams", "clips of a wake and a sleep"),
    *("clips of a standard prior", "clips of a path of captions"),
    "clips of a path with an encoder",
}
"""Families of which tracing takes seconds each time; the others trace in the fast suite."""


class Halved(nn.Module):
    """x -> x / 2, and the number of rows."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x / 2, x.sum(1) * 0 + x.shape[0]


def halved() -> Graph:
    def examples(batch: int) -> dict[str, Tensor]:
        return {"x": torch.arange(3.0 * batch).reshape(batch, 3)}

    return Graph(Halved(), examples, {"x": "batch n", "half": "batch n", "rows": "batch"})


def test_the_largest_error_is_that_of_any_output_and_row():
    graph = halved()
    assert graph.inputs == ["x"] and graph.outputs == ["half", "rows"]

    def wrong(inputs):
        half, rows = Halved()(inputs["x"])
        half[2, 1] += 0.25
        return half, rows

    assert largest_error(graph, wrong) == 0.25
    assert largest_error(graph, lambda inputs: Halved()(inputs["x"])) == 0


def test_a_graph_that_is_not_the_model_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    """Its own number of rows is written down as a constant by a network that asks `len`."""

    class Constant(Halved):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x / 2, x.sum(1) * 0 + len(x)

    graph = Graph(Constant(), halved().examples, halved().axes)
    with pytest.raises(UserError, match=r"the graph is 1 from the model, more than 0\.001"):
        write_graph(graph, {}, tmp_path / "wrong.pt", "torchscript")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_says_of_its_own_parts_is_dropped_while_a_graph_is_traced():
    log, unchecked = logging.getLogger("torch.onnx"), jaxtyping.config.jaxtyping_disable
    with _tracing():
        assert not log.isEnabledFor(logging.WARNING) and log.isEnabledFor(logging.ERROR)
        assert jaxtyping.config.jaxtyping_disable and not torch.is_grad_enabled()
    assert log.isEnabledFor(logging.WARNING) and torch.is_grad_enabled()
    assert jaxtyping.config.jaxtyping_disable == unchecked


def test_a_graph_of_torchscript_explains_itself(tmp_path, caplog):
    path = tmp_path / "half.pt"
    with caplog.at_level("INFO", "pianoreel"):
        assert write_graph(halved(), {"name": "half"}, path, "torchscript") == 0
    (said,) = caplog.messages
    assert said.startswith("tracing the generator and comparing it with the model: a minute or ")
    facts = {"name": "", "axes": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have torch.export
        loaded = torch.jit.load(str(path), _extra_files=facts)
    half, rows = loaded(torch.tensor([[1.0, 2.0, 5.0]]))
    assert (half.tolist(), rows.tolist()) == ([[0.5, 1.0, 2.5]], [1.0])
    assert facts["name"] == b"half"
    assert json.loads(facts["axes"]) == {"x": "batch n", "half": "batch n", "rows": "batch"}


@pytest.mark.parametrize(
    "form", ["torchscript", "safetensors", pytest.param("onnx", marks=pytest.mark.slow)]
)
def test_names_that_are_no_utf_8_stop_no_export(tmp_path, form: str):
    """The run, the file and its folder can have such names."""
    name = os.fsdecode(b"caf\xe9")
    model = untrained(*GENERATORS["clips of clauses"])
    model.name = name
    (folder := tmp_path / name).mkdir()
    path = folder / f"{name}.bin"
    if form == "safetensors":
        model.export(path, form)
    else:
        write_graph(halved(), model.facts, path, form)
    assert path.stat().st_size > 0 and model.facts["name"] == "caf?"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_gives_what_the_model_gives(family: str, tmp_path):
    """In torchscript, for three samples where two were traced, of other conditions."""
    assert untrained(*GENERATORS[family]).export(tmp_path / "model.pt") < 1e-5


@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=[pytest.mark.slow] * (f in SLOW_TO_TRACE)) for f in FAMILIES],
)
def test_a_traced_generator_takes_any_batch(family: str):
    """No size of its graph is that of the batch with which it was traced; ONNX needs that."""
    graph = untrained(*GENERATORS[family]).graph()
    with _tracing():
        program = program_of(graph).module()

    def run(inputs):
        outputs = program(*inputs.values())
        return outputs if isinstance(outputs, tuple) else (outputs,)

    assert largest_error(graph, run) < 1e-5


def test_each_recipe_of_clips_has_the_graph_of_a_family():
    """So that what holds for the families holds for them all."""
    known = {repr(untrained(*one).graph().network) for one in GENERATORS.values()}
    graphs = {}
    for recipe, one in VIDEO.recipes.items():
        if one.needs <= VIDEO.offers:
            with contextlib.suppress(UserError):
                graphs[recipe] = repr(untrained(VIDEO, recipe).graph().network)
    assert len(graphs) > 20
    assert [recipe for recipe, network in graphs.items() if network not in known] == []


def test_a_graph_is_that_of_a_copy_and_leaves_the_model_as_it_is(tmp_path):
    """So that a model on another device is exported for the processor, and stays there."""
    model = untrained(*next(iter(GENERATORS.values())))
    before = [(one.requires_grad, one.data_ptr()) for one in model.networks.parameters()]
    assert any(trained for trained, _ in before)
    model.export(tmp_path / "model.pt")
    after = [(one.requires_grad, one.data_ptr()) for one in model.networks.parameters()]
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_onnxruntime_gives_what_the_model_gives(family: str, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path, model = tmp_path / "model.onnx", untrained(*GENERATORS[family])
    assert model.export(path) < 1e-5
    session = runtime.InferenceSession(path)
    graph = model.graph()
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["axes"]) == graph.axes
    assert json.loads(facts["spec"]) == model.spec.model_dump(mode="json")
    for batch in (1, 5):
        inputs = graph.examples(batch)
        outputs = session.run(None, {name: one.numpy() for name, one in inputs.items()})
        with torch.no_grad():
            expected = graph.network(*inputs.values())
        expected = expected if isinstance(expected, tuple) else (expected,)
        for one, own in zip(outputs, expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(one), own, atol=1e-5, rtol=1e-5)


def test_weights_are_those_of_the_model(tmp_path):
    model, path = untrained(*GENERATORS["clips of clauses"]), tmp_path / "weights.safetensors"
    assert model.export(path) is None
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    own = model.networks.state_dict()
    assert stored.keys() == own.keys()
    assert all(torch.equal(stored[name], own[name]) for name in own)
    assert (facts["domain"], facts["name"]) == ("video", "tiny_text_to_video")
    assert json.loads(facts["model"])["video"]["clauses"] == 2


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("vq_vae", "sampled by choices one after another"),
        ("ae", "no prior|without prior"),
        ("cyclegan", "translates"),
    ],
)
def test_a_model_without_a_graph_says_what_can_be_exported(recipe: str, reason: str, tmp_path):
    model = untrained(RING, recipe)
    with pytest.raises(UserError, match=reason) as caught:
        model.export(tmp_path / "model.pt")
    assert ".safetensors" in str(caught.value) or "weights" in str(caught.value)


def test_formats_are_known_by_suffix_or_name():
    assert format_of(Path("a.pt")) == "torchscript"
    assert format_of(Path("a.bin"), "onnx") == "onnx"
    with pytest.raises(ConfigError, match=r"end it in .onnx, .pt, .safetensors"):
        format_of(Path("a.bin"))
    with pytest.raises(ConfigError, match="did you mean 'onnx'"):
        format_of(Path("a.onnx"), "onx")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    for package in ("onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"pip install 'pianoreel\[export\]'"):
        untrained(*GENERATORS["ring with labels"]).export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("own", "expected"), [(None, "1"), ("0", "0")])
def test_onnxruntime_is_loaded_without_reports_of_its_use(own, expected, monkeypatch):
    """Unless the user wants them."""
    monkeypatch.delenv(NO_REPORTS)
    if own:
        monkeypatch.setenv(NO_REPORTS, own)
    monkeypatch.setattr("importlib.import_module", lambda _: os.environ.get(NO_REPORTS))
    assert _needed("onnxruntime") == expected


@pytest.mark.slow
def test_onnxruntime_leaves_nothing_among_temporary_files(tmp_path):
    """It keeps the name of a session there before it reports its use."""
    pytest.importorskip("onnxruntime")
    others = {name: value for name, value in os.environ.items() if name != NO_REPORTS}
    code = "from core.exchange.export import _needed; _needed('onnxruntime')"
    command, env = [sys.executable, "-c", code], {**others, "TMPDIR": str(tmp_path)}
    subprocess.run(command, cwd=REPOSITORY, env=env, check=True)
    assert not (tmp_path / ".ses").exists()


def test_the_domain_of_a_run_is_found_by_its_name_or_its_settings(tmp_path):
    domains = [MUSIC, VIDEO, RING]
    assert find_domain(domains, "shapes") is VIDEO
    assert find_domain(domains, "note_transformer") is MUSIC
    assert find_domain(domains, Path(VIDEO.folder("shapes"))) is VIDEO
    with pytest.raises(UserError, match=r"run of another domain: .*pianoreel music train"):
        MUSIC.configuration_of(Run.read(VIDEO.folder("shapes")))
    with pytest.raises(UserError, match="is no folder"):
        find_domain(domains, tmp_path / "absent")
    with pytest.raises(
        UserError, match=r"^absent is no .*`train` writes it.* latent_musegan.*shapes"
    ):
        find_domain(domains, "absent")
    with pytest.raises(UserError, match="did you mean 'shapes'"):
        find_domain(domains, "shpes")
    with pytest.raises(UserError, match="no run"):
        find_domain(domains, tmp_path)


def test_a_full_disk_leaves_no_half_of_a_model(tmp_path):
    """Exit code 3, where torch and safetensors by themselves end the process or fail otherwise."""
    model = untrained(*GENERATORS["ring with labels"])

    def limited(write):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        write()

    written = [
        lambda: write_graph(halved(), {}, tmp_path / "half.pt", "torchscript"),
        lambda: model.export(tmp_path / "a.safetensors"),
    ]
    assert [in_a_child(partial(limited, one)) for one in written] == [3, 3]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_export_writes_at_once_stays(tmp_path, monkeypatch):
    """Each looks for it when it begins, and when it gives its own file the name."""
    path, export = tmp_path / "a.safetensors", export_module.save
    model = untrained(*GENERATORS["ring with labels"])

    def save_late(tensors: dict[str, Tensor], facts: dict[str, str]) -> bytes:
        path.write_bytes(b"of another")
        return export(tensors, facts)

    monkeypatch.setattr(export_module, "save", save_late)
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"{path} is there: give another --to, or"):
            model.export(path, overwrite=False)
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
        assert path.read_bytes() == b"of another"
    model.export(path)
    assert path.read_bytes() != b"of another"


def test_a_place_that_is_taken_is_said_before_a_model_is_opened(tmp_path):
    """The run is not there, which would be said next."""
    path = tmp_path / "mine.onnx"
    path.touch()
    (folder := tmp_path / "folder.onnx").mkdir()
    for to, words in ((path, f"{path} is there: give another --to"), (folder, "is a folder")):
        code, _, complaint = run("export", tmp_path / "none", "--to", to)
        assert code == 2 and words in " ".join(complaint.split())
    code, _, complaint = run("export", tmp_path / "none", "--to", path, "--overwrite")
    assert code and "is no folder" in complaint
