"""A configuration trained into a run folder: its switches reach the networks and the steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from command import run
from fake_domain import fake_domain
from torch import nn

from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Examples
from core.app.fit import configure, fit, observer, train
from core.app.model import Model
from core.data.preparation import Tick
from core.errors import ConfigError, UserError
from core.ring import eight_gaussians as ring
from core.ring.data import DrawnRing
from core.ring.model import DOMAIN
from core.theory.passes import Networks
from core.training.loop import Monitor, TrainConfig
from core.training.run import Run
from core.training.stabilisers import Stabilisers
from core.training.warm_start import start_from

CPU = torch.device("cpu")


def build(config: RunConfig) -> Networks:
    return ring.networks(config.model.resolved_recipe)


def config(recipe: str = "gan", seed: int = 0, **stabilisers: float) -> RunConfig:
    train = {"steps": 3, "batch_size": 8, "seed": seed, "ema_decay": 0.5}
    return RunConfig(
        train=TrainConfig.model_validate(train),
        model=ModelConfig(recipe=recipe, stabilisers=Stabilisers.model_validate(stabilisers)),
    )


def fitted(folder: Path, wanted: RunConfig) -> dict[str, torch.Tensor]:
    """Train three steps; the newest checkpoint's networks."""
    fit(folder, wanted, build, lambda n: ring.batch(n, 8), lambda run: lambda n, s: {}, CPU)
    stored = Run.read(folder).latest()
    assert stored is not None
    return dict(stored.group("networks"))


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], part: str) -> bool:
    names = [name for name in one if name.startswith(part)]
    assert names
    return not all(torch.equal(one[name], other[name]) for name in names)


def test_spectral_normalisation_gives_each_map_of_a_critic_norm_1(tmp_path):
    wanted = config(spectral_norm=True)
    fitted(tmp_path / "run", wanted)
    stored = Run.read(tmp_path / "run").latest()
    networks = wanted.model.stabilisers.fit(build(wanted))
    assert stored is not None
    stored.fill(networks, "networks")
    networks.eval()
    maps = [m for m in networks["critic_x"].modules() if isinstance(m, nn.Linear)]
    assert len(maps) == 4
    for linear in maps:
        norm = torch.linalg.matrix_norm(linear.weight, 2)
        assert norm.item() == pytest.approx(1.0, abs=0.02)
    plain = [m for m in networks["decoder"].modules() if isinstance(m, nn.Linear)]
    assert all(abs(torch.linalg.matrix_norm(m.weight, 2).item() - 1) > 0.02 for m in plain)


def test_historical_averaging_moves_learner_and_critic(tmp_path):
    plain = fitted(tmp_path / "plain", config())
    same = fitted(tmp_path / "same", config())
    averaged = fitted(tmp_path / "averaged", config(historical_averaging=10.0))
    for part in ("decoder", "critic_x"):
        assert not apart(plain, same, part)
        assert apart(plain, averaged, part)


def test_the_pool_is_kept_in_the_checkpoint_and_moves_the_critic(tmp_path):
    plain, pooled = fitted(tmp_path / "plain", config()), fitted(tmp_path / "pool", config(pool=5))
    assert apart(plain, pooled, "critic_x")
    stored = Run.read(tmp_path / "pool").latest()
    assert stored is not None
    (kept,) = stored.group("pools")["critic_x"]["kept"]
    assert kept.shape == (5, 2)


def test_the_seed_decides_the_weights_at_the_beginning_and_what_they_become(tmp_path):
    one, other = (fitted(tmp_path / str(n), config(seed=n)) for n in (1, 2))
    assert apart(one, other, "decoder") and apart(one, other, "critic_x")


class Doubled(Model):
    """A model that makes 2 x + seed of numbers x."""

    def to_x(self, items: Any) -> Any: ...
    def from_x(self, x: Any) -> Any: ...
    def sampled_like(self, examples: Examples, seed: int) -> Any: ...

    def generate(self, examples: Examples, seed: int = 0) -> Any:
        return [2 * x + seed for x in examples.items]


class NumbersRun(RunConfig):
    spec: str = "numbers"


EIGHT = [17.0, 19.0, 21.0, 23.0, 25.0, 27.0, 29.0, 31.0]


@pytest.mark.parametrize(("other", "items"), [(None, EIGHT), ([10.0], [35.0])])
def test_a_run_shows_what_becomes_of_its_examples_and_measures_itself(
    tmp_path, monkeypatch, other, items
):
    """By the seed 5: 2 (1 + 5) + 5 = 17; of a translation 2 (10 + 5) + 5, of the other numbers."""
    domain, drawn = fake_domain(model=Doubled), []
    facts: dict[str, Any] = {
        "item": "number",
        "examples": lambda self, data, count, seed: Examples([x + seed for x in data[:count]]),
        "measures": lambda self, data, config, other: lambda model: {"distance": data[0]},
        "preview": lambda self, model, *shown: drawn.append((model.name, *shown)),
    }
    for name, fact in facts.items():
        monkeypatch.setattr(type(domain), name, fact)
    data = [float(n) for n in range(1, 10)]
    wanted = NumbersRun(**dict(config(seed=5)))
    with Run.open(tmp_path / "mine", {}) as run:
        assert observer(domain, run, data, wanted, other)(Networks({}), 7) == {"distance": 1.0}
    titles = [f"number {n + 1}" for n in range(len(items))]
    assert drawn == [("mine", items, titles, run.samples / "step-00000007")]


def test_a_sound_is_left_where_tensorboard_is_asked_for(tmp_path, monkeypatch):
    domain = fake_domain(model=Doubled)
    facts: dict[str, Any] = {
        "item": "number",
        "examples": lambda self, data, count, seed: Examples(data[:count]),
        "measures": lambda self, data, config, other: lambda model: {},
        "preview": lambda self, *shown: None,
        "sound": lambda self, model, items: bytes(map(int, items)),
    }
    for name, fact in facts.items():
        monkeypatch.setattr(type(domain), name, fact)
    for asked in (False, True):
        values = dict(config())
        values["train"] = values["train"].model_copy(update={"tensorboard": asked})
        with Run.open(tmp_path / str(asked), {}) as run:
            observer(domain, run, [1.0, 4.0], NumbersRun(**values))(Networks({}), 7)
    assert list((tmp_path / "False" / "samples").iterdir()) == []
    (sound,) = (tmp_path / "True" / "samples").iterdir()
    assert (sound.name, sound.read_bytes()) == ("step-00000007.wav", bytes([2, 8]))


def started(tmp_path: Path, recipe: str) -> Networks:
    """Train `gan` into a folder, then build another recipe that begins with its weights."""
    fitted(tmp_path / "first", config("gan"))
    return start_from(Run.read(tmp_path / "first"), config(recipe, seed=7), build)


def test_a_run_can_begin_with_the_averaged_weights_of_another(tmp_path):
    """Decoder and prior are those of the run's EMA; the encoder, which it lacks, begins anew."""
    torch.manual_seed(3)
    networks = started(tmp_path, "vae")
    stored = Run.read(tmp_path / "first").best_or_latest()
    average, raw = stored.group("ema"), stored.group("networks")
    for name, value in networks["decoder"].state_dict().items():
        assert torch.equal(value, average[f"decoder.{name}"])
    assert apart(average, raw, "decoder")
    torch.manual_seed(3)
    anew = build(config("vae"))["encoder"].state_dict()
    encoder = networks["encoder"].state_dict()
    assert all(torch.equal(value, anew[name]) for name, value in encoder.items())


def test_training_rounds_numbers_too_small_for_a_fast_processor_to_zero(tmp_path):
    """The product of 1e-30 and 1e-10 is denormal in single precision."""
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot")
    small = torch.tensor([1e-30])
    assert small * 1e-10 > 0
    fitted(tmp_path / "first", config("gan"))
    assert small * 1e-10 == 0


def test_a_run_that_fits_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no weights of .*first fit this model: ") as refused:
        started(tmp_path, "ppca")
    assert "start from a run" in str(refused.value)
    assert str(refused.value).endswith(f"by --config {tmp_path / 'first' / 'config.yaml'}")


def test_who_begins_with_trained_weights_learns_faster_than_from_scratch(tmp_path):
    """Loss of a VAE of the ring after three steps: started with 60 steps, and from scratch."""

    def loss(folder: str, steps: int, start: str | None = None) -> float:
        settings = [f"train.steps={steps}", "train.log_every_steps=3", "train.batch_size=64"]
        to = tmp_path / folder
        train(DOMAIN, DrawnRing(), to, "vae", "tiny", "cpu", settings, start=start)
        (line,) = [one for one in Run.read(to).logged(3) if "reconstruct_x" in one]
        return line["reconstruct_x"]

    scratch = loss("scratch", 3)
    loss("trained", 60)
    assert loss("started", 3, str(tmp_path / "trained")) < 0.8 * scratch
    assert Run.read(tmp_path / "started").config["start"] == str(tmp_path / "trained")


def test_an_unknown_preset_is_named_with_the_nearest():
    music = fake_domain(offers=frozenset({"condition"}))
    type(music).presets = {"tiny": None, "small": None}  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"'smal': did you mean 'small'\? There are tiny, small"):
        configure(music, None, "vae", "smal")


@pytest.mark.parametrize("model", ["wgan", "vae", "wgan_gp"])
def test_a_model_that_is_set_by_its_key_has_the_settings_of_its_preset(model: str):
    asked = [f"model.recipe={model}"]
    for preset in DOMAIN.presets:
        one = configure(DOMAIN, DrawnRing(), None, preset, asked)
        assert one == configure(DOMAIN, DrawnRing(), model, preset)


def test_a_model_that_is_set_by_its_key_has_its_needs_met():
    with pytest.raises(ConfigError, match="cyclegan translates between two collections"):
        configure(DOMAIN, DrawnRing(), assignments=["model.recipe=cyclegan"])


@pytest.mark.parametrize("recipe", [3, ["vae"], {"name": "vae"}])
def test_a_model_of_a_file_is_a_name(recipe: object):
    with pytest.raises(ConfigError, match=r"model\.recipe must be the name of a model, not "):
        configure(DOMAIN, DrawnRing(), settings={"model": {"recipe": recipe}})


def test_a_configuration_that_is_cut_short_is_not_that_of_other_data(tmp_path):
    fitted(tmp_path / "run", config())
    path = tmp_path / "run/config.yaml"
    whole = path.read_text()
    for kept, fault in (("data_sha256", "the key 'model' is missing"), ("  recipe", "'model'")):
        path.write_text(whole[: whole.index(kept)])
        with pytest.raises(ConfigError, match=f"run/config.yaml: {fault}.* put back a copy"):
            fitted(tmp_path / "run", config())
    path.write_text(whole)
    fitted(tmp_path / "run", config())


def test_a_run_with_a_setting_that_is_unknown_by_now_is_not_resumed(tmp_path):
    fitted(tmp_path, config())
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text() + "colour: red\n")
    with pytest.raises(ConfigError, match="colour: red -> None"):
        fitted(tmp_path, config())


@pytest.mark.parametrize("command", ["train", "compare"])
def test_nothing_is_trained_among_a_collection(command: str, tmp_path: Path):
    """The folder of a collection is not that of a run, nor the other way round."""
    mine, band = tmp_path / "mine", ("--band", 2, "--steps-per-beat", 4, "--bars", 2)
    assert run("music", "prepare", *band, "--to", mine)[0] == 0
    before = sorted(mine.iterdir())
    code, _, said = run("music", command, mine, "--to", mine, "--steps", 1)
    assert code == 2 and "mine holds a prepared collection: choose an empty or a new fold" in said
    assert sorted(mine.iterdir()) == before
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    code, _, said = run("music", "prepare", *band, "--to", tmp_path / "run")
    assert code == 1 and "run holds other files: choose an empty or a new folder" in said


def test_what_follows_training_waits_for_the_next_call_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C comes while the last step is measured; the same call goes on from there."""
    stops: list[bool] = []
    finished: list[Path] = []

    def measured(*given: Any) -> Networks:
        stops.append(True)
        return fit(*given)

    def finish(self: Any, model: Any, data: Any, to: Path, tick: Tick) -> Any:
        finished.append(to)
        return model

    steps = ["train.steps=2", "train.batch_size=8"]
    monkeypatch.setattr(type(DOMAIN), "finish", finish)
    train(DOMAIN, DrawnRing(), tmp_path, "vae", assignments=steps)
    monkeypatch.setattr("core.app.fit.fit", measured)
    train(
        DOMAIN,
        DrawnRing(),
        tmp_path,
        "vae",
        assignments=steps,
        monitor=Monitor(lambda: bool(stops)),
    )
    assert finished == [tmp_path]


def test_a_stop_ends_what_follows_training_and_the_next_call_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C can come while samples are drawn for a judge, of which many are needed."""
    drawn: list[int] = []
    shown: list[tuple[int, int]] = []

    def finish(self: Any, model: Any, data: Any, to: Path, tick: Tick) -> Any:
        for number in range(5):
            tick(number, 5)
            drawn.append(number)
        (to / "judge").touch()
        return model

    monkeypatch.setattr(type(DOMAIN), "finish", finish)
    steps = ["train.steps=2", "train.batch_size=8"]
    monitor = Monitor(lambda: drawn == [0, 1], on_rest=lambda *done: shown.append(done))
    train(DOMAIN, DrawnRing(), tmp_path, "vae", assignments=steps, monitor=monitor)
    assert (drawn, (tmp_path / "judge").exists()) == ([0, 1], False)
    assert shown == [(0, 5), (1, 5)]
    drawn.clear()
    train(DOMAIN, DrawnRing(), tmp_path, "vae", assignments=steps)
    assert (drawn, (tmp_path / "judge").exists()) == ([0, 1, 2, 3, 4], True)
