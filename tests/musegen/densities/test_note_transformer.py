"""Notes as the unit: sequences and back, probabilities that sum to one, legal samples."""

import itertools
import math

import pytest
import torch

from core.densities.transformer import KVCache
from musegen.densities.note_sequences import (
    PaddedNotes,
    previous_notes,
    rows_of,
    to_notes,
    to_x,
)
from musegen.densities.note_transformer import DensityConfig, NoteDensity, Sampler
from musegen.networks.states import States, to_cells, to_states
from musegen.roll import Grid
from musegen.tracks import Track

DRUMS = Track(name="Drums", program=0, is_drum=True)
PIANO = Track(name="Piano", program=0)
GRID = Grid(steps_per_beat=3, beats_per_bar=2, lowest_pitch=40, pitches=7)


def density(
    grid: Grid = GRID,
    tracks: tuple[Track, ...] = (DRUMS, PIANO, PIANO),
    bars: int = 2,
    temperature: float = 1.0,
) -> NoteDensity:
    """A density of random weights, far from uniform."""
    torch.manual_seed(5)
    config = DensityConfig(width=16, layers=2, heads=2, temperature=temperature)
    model = NoteDensity(config, grid, tracks, bars)
    for table in (m.weight for m in model.modules() if isinstance(m, torch.nn.Embedding)):
        torch.nn.init.normal_(table)
    return model.double().eval()


def random_phrases(batch: int) -> States:
    """Legal phrases for `GRID` with repeated, held and touching notes."""
    sounding = torch.rand(batch, 3, 2, 6, 7) < 0.4
    onset = sounding & (torch.rand(sounding.shape) < 0.3)
    onset[:, 0] = sounding[:, 0]  # drums have no length
    x = torch.stack([sounding, onset], 2).float()
    return to_states(to_cells(_with_starts(x)))


def _with_starts(x: States) -> States:
    """The first cell of what sounds is an onset."""
    sounding, onset = x.bool().flatten(3, 4).unbind(2)
    before = torch.nn.functional.pad(sounding[:, :, :-1], (0, 0, 1, 0))
    return torch.stack([sounding, onset | (sounding & ~before)], 2).float().unflatten(3, (2, 6))


def test_a_phrase_as_notes_in_order_of_step_track_and_pitch():
    x = torch.zeros(2, 2, 2, 2, 3, 4)
    x[0, 1, 0, 0, 1:, 3] = x[0, 1, 1, 0, 1, 3] = 1  # piano, from step 1 for two steps
    x[0, 1, 0, 1, 0, 3] = x[0, 1, 1, 1, 0, 3] = 1  # and once more in the next bar
    x[0, 0, :, 0, 1, 2] = 1  # a drum at step 1
    x[0, 1, 0, 0, 0:2, 1] = x[0, 1, 1, 0, 0, 1] = 1
    notes = to_notes(x)
    assert notes.count.tolist() == [4, 0]
    assert [c[0].tolist() for c in notes.columns] == [
        [0, 1, 1, 3],  # step
        [1, 0, 1, 1],  # track
        [1, 2, 3, 3],  # pitch
        [2, 1, 2, 1],  # length
    ]


def test_phrases_survive_the_way_to_notes_and_back():
    torch.manual_seed(1)
    x = random_phrases(20)
    x[3] = 0
    assert torch.equal(to_x(to_notes(x), 3, 2, GRID), x)


def test_what_goes_on_from_before_the_phrase_starts_in_it():
    x = torch.zeros(1, 1, 2, 1, 6, 7)
    x[0, 0, 0, 0, :3, 2] = 1
    notes = to_notes(x)
    assert (notes.step.tolist(), notes.length.tolist()) == ([[0]], [[3]])


def test_a_later_note_cuts_the_earlier_on_its_pitch():
    one = torch.tensor([[0, 2]])
    notes = PaddedNotes(one, torch.zeros_like(one), one * 0, one * 0 + 4, torch.tensor([2]))
    cut = to_notes(to_x(notes, 1, 1, GRID))
    assert (cut.step.tolist(), cut.length.tolist()) == ([[0, 2]], [[2, 4]])


LINES = {
    True: [{}, {0: 1}, {1: 1}, {0: 1, 1: 1}],
    False: [{}, {0: 1}, {0: 2}, {1: 1}, {0: 1, 1: 1}, {0: 2, 1: 1}],
}
"""All that one pitch of a drum or of another track may do in two steps: step -> length."""


def all_sequences(pitches: int) -> PaddedNotes:
    """Every sequence of notes of drums and a piano in two steps; in some, a note cuts another."""
    keys = [(track, pitch) for track in (0, 1) for pitch in range(pitches)]
    notes = []
    for lines in itertools.product(*(LINES[track == 0] for track, _ in keys)):
        pairs = zip(keys, lines, strict=True)
        notes.append(sorted((s, t, p, line[s]) for (t, p), line in pairs for s in line))
    longest = max(map(len, notes))
    padded = torch.tensor([n + [(0, 0, 0, 0)] * (longest - len(n)) for n in notes])
    return PaddedNotes(*padded.unbind(2), count=torch.tensor([len(n) for n in notes]))


def test_the_probabilities_of_all_sequences_sum_to_one():
    grid = Grid(steps_per_beat=1, beats_per_bar=2, lowest_pitch=40, pitches=2)
    notes = all_sequences(2)
    assert len(notes.count) == 4**2 * 6**2
    p = density(grid, (DRUMS, PIANO), bars=1).log_prob(notes).exp()
    assert p.min() > 0
    assert p.max() > 5 * p.median()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)


def test_samples_have_the_frequencies_of_log_prob():
    grid = Grid(steps_per_beat=1, beats_per_bar=2, lowest_pitch=40, pitches=1)
    notes, model = all_sequences(1), density(grid, (DRUMS, PIANO), bars=1)
    p, x = model.log_prob(notes).exp().float(), to_x(notes, 2, 1, grid)
    torch.manual_seed(3)
    samples = model(8000).sample_cells(1)
    same = (x.flatten(1)[:, None] == x.flatten(1)).all(2).float()  # where the later note cuts
    found = (samples.flatten(1)[:, None] == x.flatten(1)).all(2).float().mean(0)
    assert same.sum() > len(x)
    torch.testing.assert_close(found, same @ p, atol=0.02, rtol=0)


def test_log_prob_does_not_depend_on_the_rest_of_the_batch():
    torch.manual_seed(1)
    x, model = random_phrases(11), density()
    x[4] = 0
    alone = torch.cat([model(1).log_prob(rows_of(to_notes(one[None]))) for one in x])
    torch.testing.assert_close(model(11).log_prob(rows_of(to_notes(x))), alone)


def test_an_illegal_drum_that_is_held_is_impossible():
    x = torch.zeros(1, 3, 2, 2, 6, 7)
    x[0, 0, 0, 0, :2, 2] = x[0, 0, 1, 0, 0, 2] = 1
    assert density()(1).log_prob(rows_of(to_notes(x))).item() == -math.inf


def test_later_notes_do_not_change_the_hidden_states_of_earlier_ones():
    torch.manual_seed(2)
    model, notes = density(), to_notes(random_phrases(1))
    other = PaddedNotes(*(c.clone() for c in notes.columns), count=notes.count)
    other.pitch[0, 9:] = (other.pitch[0, 9:] + 1) % 7
    hidden = [model.transformer(model.embedding(previous_notes(n, 12, 3))) for n in (notes, other)]
    assert torch.equal(hidden[0][0, :10], hidden[1][0, :10])
    assert not torch.allclose(hidden[0][0, 10], hidden[1][0, 10])


def test_every_sample_is_legal_and_survives_the_way_back():
    model = density()
    torch.manual_seed(4)
    x = model(64).sample_cells(2)
    assert x.shape == (64, 3, 2, 2, 6, 7)
    assert torch.equal(to_states(to_cells(x)), x)
    assert torch.equal(x[:, 0, 0], x[:, 0, 1]), "drums are held"
    assert model(64).log_prob(rows_of(to_notes(x))).isfinite().all()


def test_finished_rows_leave_the_batch_and_phrases_stay_in_order(
    monkeypatch: pytest.MonkeyPatch,
):
    sizes = []
    keep = KVCache.keep
    monkeypatch.setattr(
        KVCache, "keep", lambda self, rows: (sizes.append(len(rows)), keep(self, rows))[1]
    )
    model = density()
    torch.manual_seed(4)
    notes = Sampler(model, 40, None, 0).run()
    assert len(set(sizes)) > 3
    assert min(sizes) < 20
    key = (notes.step * 3 + notes.track) * 7 + notes.pitch
    later = key[:, 1:] > key[:, :-1]
    assert later[notes.is_note[:, 1:]].all(), "notes go forwards in every phrase"


def test_a_seed_repeats_the_music_and_another_does_not():
    model, samples = density(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        samples.append(model(3).sample_cells(5))
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_pieces_have_any_length(bars: int):
    torch.manual_seed(6)
    x = density()(7).sample_cells(bars)
    assert x.shape[3] == bars
    assert torch.equal(to_states(to_cells(x)), x)


def test_a_continuation_begins_with_its_prefix():
    torch.manual_seed(7)
    prefix = random_phrases(60)[:, :, :, 1:]
    prefix = to_states(to_cells(prefix))
    prefix[2] = 0  # one of them begins in silence
    x = density()(60).continue_from(prefix)
    assert torch.equal(x[:, :, :, :1], prefix)
    assert x[:, :, 1, 1].flatten(1).sum(1).gt(0).all(), "a continuation is empty"


def test_another_prefix_changes_the_continuation():
    model, bar = density(), random_phrases(2)[:, :, :, :1]
    samples = []
    for prefix in (bar[:1], bar[1:]):
        torch.manual_seed(8)
        samples.append(model(1).continue_from(prefix)[:, :, :, 1])
    assert not torch.equal(samples[0], samples[1])


def cut_notes(count: int) -> States:
    """Bars in which a piano's note ends with the bar, and a drum is hit on its last step."""
    prefix = torch.zeros(count, 3, 2, 1, 6, 7)
    prefix[:, 1, 0, 0, 4:, 3] = prefix[:, 1, 1, 0, 4, 3] = 1
    prefix[:, 0, :, 0, 5, 1] = 1
    return prefix


def test_a_note_that_reaches_the_end_of_the_prefix_may_sound_on():
    torch.manual_seed(9)
    longer = density().lengthen(to_notes(cut_notes(200)), end=6)
    assert longer.step[0].tolist() == [4, 5]
    assert longer.length[:, 0].min() == 2
    assert longer.length[:, 0].max() > 2
    assert longer.length[:, 1].eq(1).all(), "a drum has no length that could go on"


def test_the_temperature_reaches_every_head():
    """Near 0 every choice is the likeliest one, so that all samples are the same."""
    cold, warm = density(temperature=1e-6), density()
    torch.manual_seed(10)
    few, many = (model(40).sample_cells(2).unique(dim=0) for model in (cold, warm))
    assert len(few) == 1
    assert len(many) > 30
    for model, lengths in ((cold, 1), (warm, 2)):
        longer = model.lengthen(to_notes(cut_notes(200)), end=6)
        assert min(len(longer.length[:, 0].unique()), 2) == lengths


@pytest.mark.parametrize("attribute", ["step", "track", "pitch", "length"])
def test_each_attribute_is_sampled_from_its_own_logits(attribute: str):
    """With equal logits elsewhere, one attribute's bias of 50 alone makes a choice certain."""
    model = density(tracks=(PIANO, PIANO, PIANO))
    heads = model.heads
    for parameter in heads.parameters():
        torch.nn.init.zeros_(parameter)
    last = heads.advance if attribute == "step" else getattr(heads, attribute)[-1]
    last.bias.data[0 if attribute == "length" else 1] = 50.0
    previous = model.previous(to_notes(torch.zeros(300, 3, 2, 2, 6, 7)))
    start = previous.at(torch.arange(300), torch.zeros(300, dtype=torch.long))
    torch.manual_seed(11)
    note = heads.sample(torch.zeros(300, 16, dtype=torch.double), start, 0, 1.0)
    certain = {name: len(getattr(note, name).unique()) == 1 for name in note.__dict__}
    assert certain == {name: name == attribute for name in certain}
    assert getattr(note, attribute)[0] == 1
