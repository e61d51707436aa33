"""Every recipe in the domain of music, through the API that a user has."""

import io
import itertools
import wave
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import get_args

import jaxtyping
import numpy as np
import pytest
import torch
from note_rows import notes as notes_at
from note_rows import rows
from torch import nn
from tunes import tune

from core.app.fit import configure
from core.errors import ConfigError, Resumable, UserError
from core.theory.distributions import Binarisation
from core.training.checkpoint import Checkpoint
from core.training.run import export
from musegen.composition.composition import Composition
from musegen.composition.request import Request
from musegen.data.band import songs
from musegen.data.collection import Collection, spread
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.densities.note_sequences import to_rows
from musegen.drafts.source import Source
from musegen.drafts.wishes import accompaniment, blank
from musegen.files.midi import write_midi
from musegen.measures import hearing
from musegen.measures.resemblance import onset_f1
from musegen.model import DOMAIN, Model, train
from musegen.networks.states import to_cells
from musegen.networks.wirings import Wires
from musegen.recipes import RECIPES
from musegen.roll import HOLD, ONSET, SILENT, Grid, Roll, fill, notes_of
from musegen.steering import Steering
from musegen.tonality import Key
from musegen.tracks import LAKH

BARS, STEPS_PER_BEAT = 3, 4


def slow(value: object):
    """Return a value whose test is a slow one."""
    return pytest.param(value, marks=pytest.mark.slow)


SLOW_FLOW = slow("glow")


@pytest.fixture(scope="module")
def band(tmp_path_factory) -> Collection:
    """Phrases of three bars at four steps a beat: no two axes are equal."""
    folder = tmp_path_factory.mktemp("data") / "band"
    config = PrepareConfig(grid=Grid(steps_per_beat=STEPS_PER_BEAT), bars=BARS)
    prepare_band(3, folder, config)
    return Collection.open(folder)


@pytest.fixture(scope="module")
def ballads(tmp_path_factory) -> Collection:
    """Other songs of the same form."""
    folder = tmp_path_factory.mktemp("data") / "ballads"
    config = PrepareConfig(grid=Grid(steps_per_beat=STEPS_PER_BEAT), bars=BARS)
    prepare_band(2, folder, config, style="ballad")
    return Collection.open(folder)


def tiny(band, folder, model, wiring=None, steps=2, other=None):
    assignments = [f"train.steps={steps}", "train.sample_every_steps=2", "train.batch_size=2"]
    assignments += [f"model.musegan.wiring={wiring}"] if wiring else []
    return train(band, folder, model, "tiny", "cpu", assignments, other)


@pytest.fixture(scope="module")
def trained(band, ballads, tmp_path_factory) -> Callable[[str], Path]:
    """The run of a model, trained for two steps by the first test that asks for it."""
    folder = tmp_path_factory.mktemp("runs")

    @cache
    def run(name: str) -> Path:
        is_translation = name in RECIPES and RECIPES[name].other
        tiny(band, folder / name, name, other=ballads if is_translation else None)
        return folder / name

    return run


@pytest.mark.parametrize("name", [*RECIPES, *DOMAIN.aliases])
def test_every_recipe_trains_and_samples(band, ballads, trained, tmp_path, name):
    if name in RECIPES and RECIPES[name].needs - DOMAIN.offers:
        with pytest.raises(ConfigError, match=f"{name} needs what music lacks"):
            tiny(band, tmp_path / "run", name)
        return
    model = Model.load(trained(name), device="cpu")
    assert (trained(name) / "samples/step-00000002.png").stat().st_size > 1000
    if not model.draws:
        with pytest.raises(UserError, match=r"has no prior|translates"):
            model.sample()
        phrases = ballads.rolls(ballads.indices("train")[:2])
        assert model.transform(phrases).shape == phrases.shape
        return
    rolls = model.sample(count=2, bars=4, seed=1, tempo_bpm=90.0)
    assert [roll.cells.shape for roll in rolls] == [(5, 4, 16, 84)] * 2
    assert set(np.unique(rolls[0].cells)) <= {SILENT, HOLD, ONSET}
    assert rolls[0].seconds == pytest.approx(4 * 4 * 60 / 90)


def test_a_translation_needs_a_second_collection_of_the_same_form(band, ballads, tmp_path):
    with pytest.raises(ConfigError, match="give the second by --other"):
        tiny(band, tmp_path / "run", "cyclegan")
    with pytest.raises(ConfigError, match="vae learns from one collection"):
        tiny(band, tmp_path / "run", "vae", other=ballads)
    prepare_band(2, tmp_path / "finer", PrepareConfig(bars=BARS))
    with pytest.raises(UserError, match=r"finer was prepared .* than .*band: prepare"):
        tiny(band, tmp_path / "run", "cyclegan", other=Collection.open(tmp_path / "finer"))


def test_a_batch_has_phrases_of_each_collection(band, ballads):
    """x of the first, `other` of the second; of one collection there is no other."""
    config = configure(DOMAIN, band, "cyclegan", "tiny", ["train.batch_size=3"], other=ballads)
    batch = DOMAIN.batches(band, config, torch.device("cpu"), ballads)(7)
    assert batch.other is not None
    assert np.array_equal(to_cells(batch.x).numpy(), band.batch(7, 3, config.train.seed))
    assert np.array_equal(to_cells(batch.other).numpy(), ballads.batch(7, 3, config.train.seed))
    assert not np.array_equal(to_cells(batch.other).numpy(), to_cells(batch.x).numpy())
    assert DOMAIN.batches(band, config, torch.device("cpu"))(7).other is None


def test_settings_of_the_neurons_reach_the_decoder(band):
    settings = ["model.musegan.slope=2.5", "model.musegan.binarisation=deterministic"]
    config = configure(DOMAIN, band, "gan", "tiny", settings)
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    decoder = model.networks["decoder"]
    assert (decoder.slope, decoder.binarisation) == (2.5, "deterministic")
    z = model.prior(2).rsample()
    one, other = (decoder(z).rsample() for _ in range(2))
    assert torch.equal(one, other), "deterministic neurons sample the same of one z"


def test_an_untrained_translation_is_a_copy(band, ballads):
    """Note for note; each direction has networks of its own."""
    config = configure(DOMAIN, band, "cyclegan", "tiny", other=ballads)
    torch.manual_seed(0)
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    phrases = ballads.rolls(ballads.indices("train"))
    assert np.array_equal(model.translate(phrases), phrases)
    decoder = model.networks["decoder"]
    nn.init.normal_(decoder.get_submodule("generators.pitches").get_parameter("bias"))
    translated = model.translate(phrases)
    assert 0 < onset_f1(phrases, translated) < 1
    assert np.array_equal(model.translate(phrases, back=True), phrases)


def test_a_translation_that_is_nearly_a_copy_is_not_measured(trained):
    """Its distance is small before it has learned anything, and it would be kept as the best."""
    for name, measured in (("cyclegan", False), ("vae", True)):
        logged = (trained(name) / "metrics.jsonl").read_text()
        assert ('"distance"' in logged) == measured


@pytest.fixture(scope="module")
def held_out(tmp_path_factory) -> Collection:
    """Nine songs at four steps a beat, some of them held out."""
    folder = tmp_path_factory.mktemp("data") / "nine"
    config = PrepareConfig(bars=4, grid=Grid(steps_per_beat=STEPS_PER_BEAT), test_share=0.4)
    prepare_band(9, folder, config)
    return Collection.open(folder)


def test_the_measure_while_training_is_the_total_against_held_out_songs(held_out, monkeypatch):
    """TIME is 0 for the held-out songs themselves, and rises where their bars stand elsewhere."""
    config = configure(DOMAIN, held_out, "musegan", "tiny")
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    measure = DOMAIN.measures(held_out, config)
    excerpt, notes = held_out.excerpts(held_out.beginnings(16, "test"), 16)
    pieces = [notes[excerpt == number] for number in np.unique(excerpt)]
    own = np.stack([fill(piece, 5, 16, held_out.grid) for piece in pieces])
    sampled = []

    def songs(self, examples, bars, seed):
        sampled.append((len(examples), bars, seed))
        return [notes_of(one) for one in cells]

    monkeypatch.setattr(Model, "songs", songs)
    cells = own
    exact = measure(model)
    most = hearing.MEASURED_BARS // 4
    assert sampled == [(min(most, len(held_out.indices("train"))), 16, config.train.seed)]
    assert exact["time"] == 0
    assert exact.keys() == {"distance", "phrases", "time"}
    cells = own[:, :, np.random.default_rng(0).permutation(16)]
    moved = measure(model)
    assert moved["time"] > 3 * exact["time"]
    assert moved["distance"] > exact["distance"] + 0.05
    cells = np.zeros_like(own)
    cells[:, :, :, ::3, 40:45] = ONSET
    assert measure(model)["distance"] > moved["distance"] + 0.3


def test_nats_a_note_of_seen_and_of_held_out_songs_are_measured(held_out, monkeypatch):
    monkeypatch.setattr(hearing, "LIKELY_PHRASES", 3)
    monkeypatch.setattr(hearing, "CHUNK", 2)
    config = configure(DOMAIN, held_out, "lookback_rnn", "tiny")
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    measured = DOMAIN.measures(held_out, config)(model)
    for split, name in (("train", "nats_seen"), ("test", "nats_held_out")):
        songs = held_out.notes(spread(held_out.indices(split), 3))
        with torch.no_grad():
            each = [model.networks["density"](1).log_prob(to_rows([one])) for one in songs]
        nats = -float(torch.cat(each).sum()) / sum(map(len, songs))
        assert measured[name] == pytest.approx(nats, rel=1e-4)
    assert measured["nats_seen"] != measured["nats_held_out"]
    assert measured.keys() > {"distance", "time"}


def test_songs_are_as_many_bars_as_the_examples(held_out):
    """128 phrases of 4 bars are 32 songs of 16; a model without a prior transforms the phrases."""
    config = configure(DOMAIN, held_out, "musegan", "tiny")
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    examples = DOMAIN.examples(held_out, 9, 0)
    long = model.cells_of(model.songs(examples, 16, seed=3), 16)
    assert np.array_equal(long, model.cells(3, 3, 16))
    short = model.cells_of(model.songs(examples, 4, seed=3), 4)
    assert np.array_equal(short, model.generate(examples, 3))
    auto = configure(DOMAIN, held_out, "ae", "tiny")
    encoding = Model(DOMAIN.networks(auto), auto.model, auto.spec)
    assert len(encoding.songs(examples, 16, seed=3)) == len(examples)


@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
def test_every_wiring_trains_and_samples(band, tmp_path, wiring):
    model = tiny(band, tmp_path / "run", "musegan", wiring)
    assert model.sample(count=1, seed=2)[0].bars == BARS


def accompanying(band, folder, wiring="hybrid", names="piano,drums", steps=2):
    settings = [f"model.musegan.given=[{names}]", f"model.musegan.wiring={wiring}"]
    settings += [f"train.steps={steps}", "train.sample_every_steps=2", "train.batch_size=2"]
    return train(band, folder, "musegan", "tiny", "cpu", settings)


@pytest.fixture(scope="module")
def accompanist(band, tmp_path_factory) -> Model:
    """A model of the hybrid wiring that accompanies piano and drums."""
    return accompanying(band, tmp_path_factory.mktemp("runs") / "bound")


GIVEN, OTHERS = [0, 1], [2, 3, 4]
"""Drums and piano; guitar, bass and strings."""


def songs_of(band, *bars, seed=0) -> list[Roll]:
    """Songs of the band, cut to so many bars, with velocities."""
    found = []
    for (roll, _), count in zip(songs(len(bars), seed, band.grid), bars, strict=True):
        notes = replace(roll.notes, velocity=roll.notes.start % 90 + 20)
        tempo = roll.tempo_bpm[:count]
        found.append(Roll.of(notes, roll.tracks, roll.grid, tempo, roll.name))
    return found


@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
def test_given_tracks_stay_note_for_note_beside_the_new_ones(band, tmp_path, wiring):
    """Songs of any length, longer and shorter than a phrase of three bars; velocities stay too."""
    accompanying(band, tmp_path / "run", wiring)
    model = Model.load(tmp_path / "run", "cpu")
    own = songs_of(band, 7, 2)
    new = model.accompany(own, seed=3)
    for before, after in zip(own, new, strict=True):
        assert after.cells.shape == before.cells.shape
        assert np.array_equal(after.cells[GIVEN], before.cells[GIVEN])
        assert not np.array_equal(after.cells[OTHERS], before.cells[OTHERS])
        kept = [[row for row in rows(roll.notes) if row[0] in GIVEN] for roll in (before, after)]
        assert kept[0] == kept[1]
        one, two = (r.notes.velocity[np.isin(r.notes.track, GIVEN)] for r in (before, after))
        assert np.array_equal(one, two)
        assert np.array_equal(after.tempo_bpm, before.tempo_bpm)
        assert after.name == before.name
    assert set(np.unique(new[0].cells)) <= {SILENT, HOLD, ONSET}


def test_another_given_track_changes_the_others_and_these_change_nothing(band, accompanist):
    (song,) = songs_of(band, 6)
    (first,) = accompanist.accompany([song], seed=3)
    emptied = song.cells.copy()
    emptied[OTHERS] = SILENT
    (same,) = accompanist.accompany([replace(song, notes=notes_of(emptied))], seed=3)
    assert np.array_equal(first.cells, same.cells)
    other = song.cells.copy()
    other[0] = other[0, :, ::-1]  # drums backwards in each bar
    (changed,) = accompanist.accompany([replace(song, notes=notes_of(other))], seed=3)
    assert not np.array_equal(first.cells[OTHERS], changed.cells[OTHERS])
    assert not np.array_equal(first.cells, accompanist.accompany([song], seed=4)[0].cells)


def test_song_n_depends_on_the_seed_and_n_alone(band, accompanist):
    """The same alone or beside longer songs; the same songs in another place are others."""
    long, short = songs_of(band, 8, 4)
    both, (alone,) = (accompanist.accompany(s, seed=3) for s in ([short, long], [short]))
    assert np.array_equal(both[0].cells, alone.cells)
    second = accompanist.accompany([long, short], seed=3)[1]
    assert not np.array_equal(second.cells, alone.cells)


def test_a_batch_has_the_given_tracks_as_its_condition(band):
    settings = ["model.musegan.given=[drums, piano]", "train.batch_size=3"]
    config = configure(DOMAIN, band, "musegan", "tiny", settings)
    batch = DOMAIN.batches(band, config, torch.device("cpu"))(7)
    assert batch.c is not None
    cells = band.batch(7, 3, config.train.seed)
    assert np.array_equal(to_cells(batch.c).numpy(), cells[:, GIVEN])
    assert np.array_equal(to_cells(batch.x).numpy(), cells[:, OTHERS])


def test_examples_of_a_model_that_accompanies_keep_their_given_tracks(band, tmp_path):
    """So it is measured while it trains and by `evaluate`."""
    model = accompanying(band, tmp_path / "run")
    examples = DOMAIN.examples(band, 3, 0)
    cells = model.generate(examples, seed=1)
    assert np.array_equal(cells[:, GIVEN], examples.items[:, GIVEN])
    assert not np.array_equal(cells[:, OTHERS], examples.items[:, OTHERS])
    assert '"distance"' in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_a_draft_that_keeps_the_given_tracks_is_composed(band, accompanist):
    """The finished song has the kept notes, and those of `accompany` beside them."""
    (song,) = songs_of(band, 5)
    kept = np.zeros((5, 5), bool)
    kept[GIVEN] = True
    draft = blank(band.tracks, band.grid, 5).with_notes(song.notes, kept)
    first, second = accompanist.complete(draft, 2, seed=3)
    given = rows(song.notes[np.isin(song.notes.track, GIVEN)])
    for notes in (first, second):
        assert rows(notes[np.isin(notes.track, GIVEN)]) == given
    assert rows(first) != rows(second)
    (roll,) = accompanist.accompany([song], seed=3)
    assert rows(first) == rows(roll.notes)
    for wrong in (kept[[0, 2, 1, 3, 4]], kept & (np.arange(5) < 4)):
        with pytest.raises(ConfigError, match="bound accompanies drums,piano over whole songs"):
            accompanist.complete(draft.with_notes(song.notes, wrong))


def test_the_song_of_a_user_is_accompanied_over_its_whole_length(band, accompanist, tmp_path):
    """By tracks that stay, as the message says that it needs; by no others, and with no ending."""
    (song,) = songs_of(band, 3)
    path = tmp_path / "song.mid"
    write_midi(song, path)
    request = Request(given=path, keep=("drums", "piano"))
    (roll,) = Composition(accompanist, request).songs(1, seed=3)
    assert roll.bars == 3 and roll.composed is not None
    assert roll.composed.all(1).tolist() == [False, False, True, True, True]
    assert roll.notes.of(1).velocity.tolist() == song.notes.of(1).velocity.tolist() != []
    for wishes, ending, message in (
        (Request(given=path, keep=("piano",)), False, "accompanies drums,piano over whole songs"),
        (Request(given=path, fill="2"), False, "accompanies drums,piano over whole songs"),
        (request, True, "bound composes no ending: leave out --ending, or use lookback_rnn or"),
    ):
        with pytest.raises(ConfigError, match=message):
            Composition(accompanist, wishes, ending=ending).require()


def test_models_that_do_not_accompany_say_so_and_those_that_do_need_a_song(
    band, trained, accompanist
):
    free, bound = Model.load(trained("musegan"), "cpu"), accompanist
    (song,) = songs_of(band, 3)
    with pytest.raises(ConfigError, match="musegan makes all tracks and accompanies none: train"):
        free.accompany([song])
    with pytest.raises(ConfigError, match="musegan completes no songs: use lookback_rnn or"):
        free.complete(blank(band.tracks, band.grid, 3))
    for make in (lambda: bound.sample(), lambda: bound.notes(), lambda: bound.space):
        with pytest.raises(UserError, match="bound accompanies drums,piano: give it a song"):
            make()
    finer = replace(song, grid=Grid(steps_per_beat=12))
    with pytest.raises(ConfigError, match="other tracks or another grid than bound"):
        bound.accompany([finer])


def test_given_tracks_are_compared_in_the_space_of_conditions(band):
    """x beside c, by the games and the statistics of the recipe; weights keep their names."""
    settings = ["model.musegan.given=[piano]", "model.weights.moments_x=3"]
    config = configure(DOMAIN, band, "musegan", "tiny", settings)
    terms = config.model.resolved_recipe.terms
    assert [(term.name, term.weight) for term in terms] == [("match_xc", 1.0), ("moments_xc", 3.0)]
    assert tuple(sorted(DOMAIN.networks(config))) == ("critic_xc", "decoder", "prior")
    assert configure(DOMAIN, band, "musegan", "tiny").model.resolved_recipe == RECIPES["musegan"]


def test_the_same_seed_makes_the_same_music(trained):
    model = Model.load(trained("musegan"), "cpu")
    first, same, other = (model.cells(3, seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("wiring", "kept"),
    [
        ("hybrid", [True, False, True, False]),
        ("composer", [True, False, True, True]),  # its private parts are empty
        ("jamming", [True, True, True, False]),  # its shared parts are empty
    ],
)
def test_long_pieces_keep_the_constant_parts_of_z_and_change_the_temporal_ones(band, wiring, kept):
    """Three phrases of a piece: z and z_i are the same in all, z_t and z_it differ in all."""
    config = configure(DOMAIN, band, "musegan", "tiny", [f"model.musegan.wiring={wiring}"])
    model = Model(DOMAIN.networks(config), config.model, config.spec)
    decoder = model.networks["decoder"]
    codes: list[torch.Tensor] = []
    hook = decoder.register_forward_pre_hook(lambda module, inputs: codes.append(inputs[0]))
    cells = model.cells(1, seed=1, bars=3 * BARS)
    hook.remove()
    assert cells.shape[2] == 3 * BARS
    wires = decoder.get_submodule("wires")
    assert isinstance(wires, Wires)
    parts = [z.split(wires.sizes.parts(wires.players), 1) for z in codes]
    assert len(parts) == 3
    for one, other in itertools.combinations(parts, 2):
        same = [torch.equal(a, b) for a, b in zip(one, other, strict=True)]
        assert same == kept


@pytest.mark.parametrize("wiring", [slow("composer"), slow("jamming"), "hybrid"])
def test_a_resumed_accompanist_is_bit_equal(band, tmp_path, wiring):
    whole = accompanying(band, tmp_path / "whole", wiring, steps=4)
    accompanying(band, tmp_path / "parts", wiring, steps=2)
    parts = accompanying(band, tmp_path / "parts", wiring, steps=4)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


def two_stages(band, folder, steps, kind="stochastic"):
    settings = [f"model.musegan.binarisation={kind}", "model.musegan.refine_after_steps=2"]
    settings += ["model.musegan.slope_growth=2", "model.musegan.slope_steps=1"]
    settings += [f"train.steps={steps}", "train.sample_every_steps=9", "train.batch_size=2"]
    return train(band, folder, "musegan", "tiny", "cpu", settings)


@pytest.mark.parametrize("first", [slow(1), 2, slow(3)])
def test_a_run_of_two_stages_resumes_to_the_bit(band, tmp_path, first):
    """Within each stage and between them; what is loaded samples as what was trained."""
    whole = two_stages(band, tmp_path / "whole", 4)
    two_stages(band, tmp_path / "parts", first)
    parts = two_stages(band, tmp_path / "parts", 4)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key
    cells = Model.load(tmp_path / "whole", "cpu").cells(2, seed=1)
    assert np.array_equal(cells, whole.cells(2, seed=1))
    assert cells.any()


def test_the_growth_of_the_slope_changes_what_is_learned(band, tmp_path):
    """From the step at which it grows; before it, runs are equal to the bit."""
    runs = []
    for growth in (1, 3):
        settings = [f"model.musegan.slope_growth={growth}", "model.musegan.slope_steps=1"]
        settings += ["train.steps=2", "train.save_every_steps=1", "train.sample_every_steps=9"]
        train(band, tmp_path / str(growth), "musegan", "tiny", "cpu", settings)
        steps = [tmp_path / str(growth) / f"checkpoints/step-0000000{n}" for n in (1, 2)]
        runs.append([Checkpoint.open(folder).group("networks") for folder in steps])
    key = "decoder.generators.bar.linear.weight"
    assert torch.equal(runs[0][0][key], runs[1][0][key])
    assert not torch.equal(runs[0][1][key], runs[1][1][key])


def test_neurons_can_be_sampled_otherwise_than_they_were_trained(trained):
    """The notes of one seed differ between the kinds; usually they are those of training."""
    model = Model.load(trained("musegan"), "cpu")
    played = {
        kind: model.notes(2, 1, steering=Steering(binarisation=kind))
        for kind in get_args(Binarisation)
    }
    usual = model.notes(2, 1)
    assert list(map(rows, usual)) == list(map(rows, played[model.config.musegan.binarisation]))
    by_chance, rounded = (list(map(rows, played[k])) for k in ("stochastic", "deterministic"))
    assert by_chance != rounded
    with pytest.raises(ConfigError, match="lookback_rnn has no binarisation"):
        density = Model.load(trained("lookback_rnn"), "cpu")
        density.notes(steering=Steering(binarisation="stochastic"))


def test_the_papers_game_alone_is_musegan_without_its_moments(band, tmp_path):
    """Equal to the bit after two steps."""
    settings = ["train.steps=2", "train.batch_size=2", "train.sample_every_steps=9"]
    weights = ["model.weights.moments_x=0", *settings]
    one = train(band, tmp_path / "ours", "musegan", "tiny", "cpu", weights)
    other = train(band, tmp_path / "alone", "wgan_gp", "tiny", "cpu", settings)
    for key, value in one.networks.state_dict().items():
        assert torch.equal(value, other.networks.state_dict()[key]), key


@pytest.mark.parametrize("name", [slow("note_transformer"), "lookback_rnn", SLOW_FLOW])
def test_a_resumed_run_is_bit_equal(band, tmp_path, name):
    whole = tiny(band, tmp_path / "whole", name, steps=4)
    tiny(band, tmp_path / "parts", name, steps=2)
    parts = tiny(band, tmp_path / "parts", name, steps=4)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, parts.networks.state_dict()[key]), key


def test_a_run_is_bound_to_its_data(band, tmp_path):
    tiny(band, tmp_path / "run", "musegan")
    config = PrepareConfig(grid=Grid(steps_per_beat=STEPS_PER_BEAT), bars=BARS, seed=9)
    prepare_band(3, tmp_path / "other", config)
    with pytest.raises(ConfigError, match="another collection"):
        tiny(Collection.open(tmp_path / "other"), tmp_path / "run", "musegan")


def test_exported_weights_sample_as_the_run_does(trained, tmp_path):
    from core.training.run import Run

    export(Run.read(trained("gan")), tmp_path / "weights")
    run, shared = (Model.load(one, "cpu") for one in (trained("gan"), tmp_path / "weights"))
    for key, value in run.networks.state_dict().items():
        torch.testing.assert_close(shared.networks.state_dict()[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["gann", "notess"])
def test_a_misspelt_model_names_its_neighbour(band, model):
    with pytest.raises(ConfigError, match="did you mean"):
        configure(DOMAIN, band, model)


def test_corrupted_weights_are_refused(band, tmp_path):
    tiny(band, tmp_path / "run", "gan")
    for path in (tmp_path / "run/checkpoints").rglob("ema.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"ema.safetensors|no checkpoint"):
        Model.load(tmp_path / "run", "cpu")


def test_networks_are_those_the_recipe_names(band, ballads):
    for name, recipe in RECIPES.items():
        if recipe.needs - DOMAIN.offers:
            continue
        other = ballads if recipe.other else None
        config = configure(DOMAIN, band, name, "tiny", other=other)
        assert tuple(sorted(DOMAIN.networks(config))) == recipe.networks


@pytest.mark.parametrize("name", ["musegan", "note_transformer", "lookback_rnn", "vae", SLOW_FLOW])
def test_a_song_is_the_same_alone_or_among_others(trained, name):
    model = Model.load(trained(name), "cpu")
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    many = model.cells(10, seed=4, bars=4)
    for count in (1, 3, 9):
        assert np.array_equal(model.cells(count, seed=4, bars=4), many[:count])
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "count must be at least 1, not 0"),
        ({"count": "2"}, "count must be a whole number, not '2'"),
        ({"bars": 0}, "bars must be at least 1, not 0"),
        ({"bars": 5000}, "bars must be at most 1024, not 5000"),
        ({"bars": 1.5}, "bars must be a whole number, not 1.5"),
        ({"tempo_bpm": 3.9}, "tempo_bpm is from 4 to 60,000,000 beats a minute, not 3.9"),
        ({"tempo_bpm": 1e9}, "tempo_bpm is from 4 to 60,000,000 beats a minute, not 1e"),
        ({"tempo_bpm": "90"}, "tempo_bpm must be a number, not '90'"),
        ({"seed": -1}, "a seed is from 0 to"),
        ({"seed": "a"}, "a seed must be a whole number, not 'a'"),
        ({"steering": "AABA"}, "steering is a Steering, such as .* not 'AABA'"),
    ],
)
def test_arguments_are_checked_in_python_too(trained, wrong, message, monkeypatch):
    """Types as well, where no tests check them."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model = Model.load(trained("musegan"), "cpu")
    with pytest.raises(ConfigError, match=message):
        model.sample(**wrong)
    if "tempo_bpm" not in wrong:
        with pytest.raises(ConfigError, match=message):
            model.notes(**wrong)


def test_a_model_and_a_collection_have_short_names(band, trained):
    model = Model.load(trained("musegan"), "cpu")
    assert repr(model).startswith("music model musegan (musegan, ")
    assert len(repr(model)) < 60
    assert repr(band) == str(band.store.folder)


def test_a_file_of_settings_and_a_runs_own_are_read(band, trained):
    from core.yaml_files import read_yaml

    first = configure(DOMAIN, band, "vae", "tiny", ["train.batch_size=3", "train.steps=5"])
    stored = read_yaml(trained("vae") / "config.yaml")
    repeated = configure(DOMAIN, band, settings=stored, assignments=["train.steps=5"])
    assert repeated.model == first.model
    assert (repeated.train.batch_size, repeated.train.steps) == (2, 5)
    few = configure(DOMAIN, band, "vae", "tiny", settings={"train": {"batch_size": 7}})
    assert (few.train.batch_size, few.train.seed) == (7, 0)


def test_a_density_samples_notes_with_their_velocities(trained):
    """Cells and rolls hold the same notes, and the rolls their velocities."""
    model = Model.load(trained("lookback_rnn"), "cpu")
    notes, cells = model.notes(3, seed=2, bars=5), model.cells(3, seed=2, bars=5)
    rolls = model.sample(3, seed=2, bars=5)
    assert len({tuple(n.velocity.tolist()) for n in notes}) == 3
    for one, cell, roll in zip(notes, cells, rolls, strict=True):
        assert np.array_equal(roll.cells, cell)
        assert rows(roll.notes) == rows(one)
        assert roll.notes.velocity.tolist() == one.velocity.tolist()


def test_a_density_learns_notes_and_other_networks_cells(band):
    for name, shape in (("lookback_rnn", 3), ("note_transformer", 3), ("vae", 6)):
        config = configure(DOMAIN, band, name, "tiny")
        x = DOMAIN.batches(band, config, torch.device("cpu"))(7).x
        assert (x.dim(), len(x)) == (shape, config.train.batch_size)


def test_batches_of_notes_are_phrases_of_about_as_many_notes(band):
    sizes = [[len(n) for n in band.note_batch(number, 3, seed=1)] for number in range(16)]
    for block in (sizes[:8], sizes[8:]):
        spans = sorted((min(batch), max(batch)) for batch in block)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
        assert spans[0][0] < spans[-1][1] - 8
        assert block != sorted(block), "the parts come in any order"
    assert sizes[:8] != sizes[8:]


def test_a_density_is_steered(trained):
    """By temperature and nucleus; the model itself stays as it was."""
    model = Model.load(trained("lookback_rnn"), "cpu")
    whole = {"temperature": 1.0, "top_p": 1.0}
    for settings in ({"temperature": 1e-6}, {"top_p": 1e-6}):
        different = model.notes(3, 1, 2, Steering.model_validate(whole))
        same = model.notes(3, 1, 2, Steering.model_validate({**whole, **settings}))
        assert len({str(rows(one)) for one in same}) == 1
        assert len({str(rows(one)) for one in different}) > 1
        assert all(map(equal, different, model.notes(3, 1, 2, Steering.model_validate(whole))))


def equal(one, other):
    return rows(one) == rows(other) and one.velocity.tolist() == other.velocity.tolist()


def test_a_model_names_the_settings_that_it_has_not_and_one_that_has(trained):
    vae = Model.load(trained("vae"), "cpu")
    for settings in ({"temperature": 0.9}, {"key": Key.parse("A minor")}, {"density": 2.0}):
        (name,) = settings
        with pytest.raises(ConfigError, match=f"vae has no {name} .* lookback_rnn"):
            vae.sample(steering=Steering.model_validate(settings))
    with pytest.raises(ConfigError, match=r"vae has no form .* lookback_rnn or latent_musegan"):
        vae.notes(steering=Steering(form="AB"))
    draft = blank(vae.spec.tracks, vae.spec.grid, 2)
    with pytest.raises(ConfigError, match="vae completes no songs: use lookback_rnn"):
        vae.complete(draft)


def test_a_transformer_over_notes_is_sampled_at_a_temperature(trained):
    model = Model.load(trained("note_transformer"), "cpu")
    cold = model.notes(3, 1, 2, Steering(temperature=1e-6))
    assert len({str(rows(one)) for one in cold}) == 1
    assert len({str(rows(one)) for one in model.notes(3, 1, 2)}) == 3
    with pytest.raises(ConfigError, match=r"note_transformer has no top_p .* lookback_rnn"):
        model.notes(3, 1, 2, Steering(top_p=0.5))


def test_a_draft_is_completed_and_what_it_keeps_stays(trained, tmp_path):
    model = Model.load(trained("lookback_rnn"), "cpu")
    for seed in (0, 1):
        (tmp_path / f"{seed}.mid").write_bytes(tune(seed, BARS))
    one, other = (
        accompaniment(Source.read(tmp_path / f"{seed}.mid", *spec_of(model)), ["piano", "bass"])
        for seed in (0, 1)
    )
    many = Steering(density=4, top_p=1)  # after two steps of training the nucleus is silence
    completed = model.complete(one, 3, 4, many)
    kept = {*zip(*columns_of(one.kept_notes), strict=True)}
    for notes in completed:
        assert {*zip(*columns_of(notes[np.isin(notes.track, [1, 3])]), strict=True)} == kept
    assert len({str(rows(notes)) for notes in completed}) == 3, "what is open differs"
    (first,) = model.complete(one, 1, 4, many)
    assert equal(first, completed[0])
    (changed,) = model.complete(other, 1, 4, many)
    assert not equal(*(notes[np.isin(notes.track, [0, 2, 4])] for notes in (first, changed)))
    with pytest.raises(ConfigError, match="a form is for new songs, not for one with notes"):
        model.complete(one, steering=Steering(form="AB"))


def columns_of(notes):
    return [getattr(notes, f.name).tolist() for f in fields(notes)]


def spec_of(model):
    return model.spec.tracks, model.spec.grid


def test_a_density_learns_to_listen_and_composes_from_nothing_as_before(band, trained, tmp_path):
    start = trained("lookback_rnn")
    model = Model.load(start, "cpu")
    listens = ["train.steps=3", "train.batch_size=2", "model.lookback.listens=true"]
    with pytest.raises(ConfigError, match="add --from lookback_rnn"):
        train(band, tmp_path / "deaf", "lookback_rnn", "tiny", "cpu", listens)
    listening = train(
        band, tmp_path / "listening", "lookback_rnn", "tiny", "cpu", listens, start=start
    )
    weights, before = (dict(one.networks.named_parameters()) for one in (listening, model))
    new = weights.keys() - before.keys()
    changed = {name for name in before if not torch.equal(weights[name], before[name])}
    assert not changed
    assert new == {"density.heads.kept.circular", "density.heads.kept.lags"}
    assert all(weights[name].any() for name in new)
    whole = Steering(top_p=1)
    assert all(map(equal, listening.notes(3, 1, 2, whole), model.notes(3, 1, 2, whole)))
    assert len(set(map(str, map(rows, listening.notes(3, 1, 2, whole))))) > 1


def test_a_preview_that_is_not_written_whole_is_not_there(tmp_path, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    roll = Roll.of(notes_at((0, 24, 40, 8)), LAKH[1:2], Grid(), np.array([60.0]))
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(type(DOMAIN), "show", lambda *arguments: None)
    monkeypatch.setattr(Model, "rolls", lambda self, items: [roll])
    phrase = np.zeros((1, 1, 1, 1, 1), np.uint8)
    with pytest.raises(Resumable, match="No space left"):
        DOMAIN.preview(Model.__new__(Model), phrase, [], tmp_path / "step-00000001")
    assert list(tmp_path.iterdir()) == []


def test_the_sound_of_a_preview_lasts_as_long_as_its_first_phrase(monkeypatch):
    """Two bars at 60 beats a minute are 8 seconds; the last note rings out after them."""
    late = notes_at((0, 24, 40, 8))
    roll = Roll.of(late, LAKH[1:2], Grid(steps_per_beat=4), np.array([60.0, 60.0]))
    monkeypatch.setattr(Model, "rolls", lambda self, items: [roll, None])
    sound = DOMAIN.sound(Model.__new__(Model), np.zeros((2, 1, 1, 1, 1), np.uint8))
    with wave.open(io.BytesIO(sound)) as file:
        assert 8 <= file.getnframes() / file.getframerate() <= 10


def test_what_is_measured_is_loaded_on_the_device_that_is_named():
    with pytest.raises(ConfigError, match="no device is called 'abacus'"):
        DOMAIN.subject("lookback_rnn", "abacus")
