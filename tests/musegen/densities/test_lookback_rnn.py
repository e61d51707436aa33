"""The lookback density: the same conditionals at once and note by note, and probabilities."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.densities.recurrent import RecurrentSteps
from musegen.densities import lookback, lookback_heads, lookback_likelihood
from musegen.densities.lookback import Note
from musegen.densities.lookback_heads import HiddenOutputs
from musegen.densities.lookback_likelihood import Likelihood, to_playing_order
from musegen.densities.lookback_network import LookbackConfig, Nucleus
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.lookback_sampler import LEAST_UNFINISHED, Sampler
from musegen.densities.next_note import Attribute, NextNote
from musegen.densities.note_by_note import ATTRIBUTES, KNOWN_FROM, HeadSteps, steps_of
from musegen.densities.note_sequences import NoteRows, cut_overlaps, pad_pieces
from musegen.roll import Grid
from musegen.steering import Steering
from musegen.tracks import LAKH, Track

DRUMS = Track(name="Drums", is_drum=True)
PIANO = Track(name="Piano", family="piano")
BASS = Track(name="Low", program=33, family="bass")
GRID = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=40, pitches=17)
WHOLE = Nucleus(advance=1, track=1, pitch=1, length=1, velocity=1)
NARROW = Nucleus(advance=1e-6, track=1e-6, pitch=1e-6, length=1e-6, velocity=1e-6)


def density(
    grid: Grid = GRID,
    tracks: tuple[Track, ...] = (PIANO, DRUMS, BASS),
    bars: int = 10,
    **config: Any,
) -> LookbackDensity:
    """A density of random weights, far from uniform."""
    torch.manual_seed(5)
    settings = LookbackConfig.model_validate({"width": 16, "heads": 2, **config})
    model = LookbackDensity(settings, grid, tracks, bars)
    for table in (m.weight for m in model.modules() if isinstance(m, nn.Embedding)):
        nn.init.normal_(table, std=0.5)
    model.heads.patience.data.fill_(0.7)
    return model.double().eval()


def pieces(model: LookbackDensity, batch: int, density: float = 0.02) -> NoteRows:
    """Random notes whose bars mostly repeat earlier ones, sorted; of different numbers."""
    layout, bars = model.layout, model.bars
    shape = (bars, layout.bar, layout.tracks, layout.pitches)
    songs = []
    for number in range(batch):
        onset = torch.rand(shape) < density * (1 + number)
        for bar in range(1, bars):
            if torch.rand(()) < 0.7:
                onset[bar] = onset[bar - min(bar, 2 ** int(torch.randint(4, ())))]
        step, track, pitch = torch.nonzero(onset.flatten(0, 1)).unbind(1)
        order = torch.tensor(layout.order)
        length = torch.randint(1, 2 * layout.bar, step.shape)
        length = torch.where(order[track] == 1, 1, length)  # drums
        rows = torch.stack([step, order[track], pitch, length, torch.randint(1, 128, step.shape)])
        songs.append(rows.T)
    padded = nn.utils.rnn.pad_sequence(songs, batch_first=True, padding_value=-1)
    return cut_overlaps(padded, layout.grid, bars * layout.bar)


class Replay(Sampler):
    """A sampler whose samples are given; it sums log p of what it is given."""

    def __init__(self, model: LookbackDensity, x: NoteRows):
        super().__init__(model, range(len(x)), model.bars * model.layout.bar)
        note, is_note = to_playing_order(x, model.layout)
        self.given = Note(*(nn.functional.pad(column, (0, 1)) for column in note.columns))
        self.is_note = nn.functional.pad(is_note, (0, 1))
        self.ended = torch.zeros(len(x), dtype=torch.bool)
        self.total = torch.zeros(len(x), dtype=torch.double)

    def _sample(self, attribute: Attribute, logits: np.ndarray) -> np.ndarray:
        """Return the given attribute; after the last note, an advance beyond the end."""
        log_probs = torch.from_numpy(logits).log_softmax(1)
        place = (torch.from_numpy(self.rows), self.position)
        note, is_note = self.given[place], self.is_note[place]
        length = note.length.clamp(min=1)
        values = {
            "advance": torch.where(is_note, note.step - torch.from_numpy(self.last.step), 0),
            "track": note.track,
            "pitch": note.pitch,
            "length": length - 1,
            "velocity": note.velocity - 1,
        }
        log_prob = log_probs.gather(1, values[attribute].clamp(0, logits.shape[1] - 1)[:, None])
        log_prob = log_prob[:, 0]
        if attribute == "advance":
            self.unfinished = is_note.numpy()
            log_prob = self._log_prob_of_advance(log_probs, values[attribute], is_note)
        if attribute == "length":
            cut = torch.nonzero(note.step + length == self.steps)[:, 0]
            log_prob = lookback_likelihood._of_length(log_probs, length, cut)
        counts = is_note if attribute != "advance" else torch.ones_like(is_note)
        self.total[self.rows] += log_prob * counts
        return values[attribute].numpy()

    def _log_prob_of_advance(self, log_probs: Tensor, advance: Tensor, is_note: Tensor) -> Tensor:
        heads, left = self.density.heads, self.steps - torch.from_numpy(self.last.step)
        of_end = heads.log_prob_of_later(log_probs, left) * ~self.ended[self.rows]
        self.ended[self.rows] |= ~is_note
        return torch.where(is_note, heads.log_prob_of_advance(log_probs, advance), of_end)


FINE = Grid(steps_per_beat=12, beats_per_bar=1, lowest_pitch=24, pitches=14)


@pytest.mark.parametrize("grid", [GRID, FINE], ids=["4 steps", "12 steps"])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"body": "transformer", "layers": 2},
        {"lags": (1, 3), "layers": 2},
        {"lags": (), "harmony": False},
    ],
    ids=str,
)
def test_note_by_note_is_as_likely_as_at_once(grid: Grid, config: dict[str, Any]):
    """The features of sampling, kept up to date, are those of training, masked."""
    model = density(grid, **config)
    x = pieces(model, 5, 0.08 / grid.steps_per_bar)
    x[3] = -1  # a piece without notes
    replay = Replay(model, x)
    with torch.no_grad():
        assert notes_of(pad_pieces(list(replay.pieces()))) == notes_of(x)
        at_once = model(5).log_prob(x)
    counts = (x[..., 0] >= 0).sum(1)
    assert counts.max() > 100
    assert len(replay.rows) < 5, "finished rows have left"
    torch.testing.assert_close(replay.total, at_once, atol=1e-6, rtol=0)


def notes_of(x: NoteRows) -> set[tuple[int, ...]]:
    """The notes of all rows."""
    rows = enumerate(x.tolist())
    return {(row, *note) for row, notes in rows for note in notes if note[0] >= 0}


@pytest.fixture
def few_velocities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be the velocities 1 to 8 only, so that all sequences can be counted."""
    for module in (lookback, lookback_heads):
        monkeypatch.setattr(module, "VELOCITIES", 9)


def sequences(steps: int, lengths: bool) -> NoteRows:
    """Every sequence of notes of one pitch, with every velocity."""
    lines = []
    for chosen in itertools.product((False, True), repeat=steps):
        each = [
            [
                (step, length, velocity)
                for length in range(1, steps - step + 1 if lengths else 2)
                for velocity in range(1, 9)
            ]
            for step in range(steps)
            if chosen[step]
        ]
        lines += list(itertools.product(*each))
    rows = [torch.tensor([(s, 0, 0, n, v) for s, n, v in line]) for line in lines]
    rows = [row.view(-1, 5).long() for row in rows]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


@pytest.mark.usefixtures("few_velocities")
@pytest.mark.parametrize(("track", "steps"), [(DRUMS, 4), (PIANO, 3)])
def test_the_probabilities_of_all_sequences_sum_to_one(track: Track, steps: int):
    """Bars of one step: with lags, advances beyond the choices, and notes cut at the end."""
    grid = Grid(steps_per_beat=1, beats_per_bar=1, lowest_pitch=40, pitches=1)
    x = sequences(steps, lengths=not track.is_drum)
    with torch.no_grad():
        p = density(grid, (track,), steps)(len(x)).log_prob(x).exp()
    assert len(x) > 3_000
    assert p.max() > 5 * p.median()
    assert p.sum().item() == pytest.approx(1, abs=1e-9)


def test_every_conditional_sums_to_one_over_what_is_legal():
    model = density()
    likelihood = Likelihood(model, pieces(model, 3))
    known = likelihood.known_notes()
    hidden = torch.randn(len(likelihood.row), 16, dtype=torch.double)
    for attribute, logits in model.heads.conditionals(hidden, known):
        p = logits.softmax(1)
        value = {
            "advance": known.advance.clamp(max=12),
            "track": known.track,
            "pitch": known.pitch,
            "length": known.length - 1,
            "velocity": known.velocity - 1,
        }[attribute]
        assert p.gather(1, value[:, None]).min() > 0, attribute
        if attribute == "length":
            assert p[known.track == 0, 0].eq(1).all(), "drums have a length"
        if attribute == "track":
            passed = torch.arange(3) < known.last.track[:, None]
            assert p[known.same_step[:, None] & passed].eq(0).all()
        if attribute == "pitch":
            passed = torch.arange(17) <= known.last.pitch[:, None]
            assert p[known.same_track[:, None] & passed].eq(0).all()


def features(known: NextNote) -> list[Tensor]:
    names = ("remaining", "there", "ages", "profiles", "class_patterns", "patterns", "pattern")
    names += ("own_pitch", "own_length", "own_velocity", "lagged_lengths", "lagged_velocities")
    names += ("used_pitches", "used_velocities", "pitch_velocity")
    return [getattr(known, name) for name in names]


@pytest.mark.parametrize("changed", [70, 75, 83])
def test_later_notes_do_not_change_earlier_conditionals(changed: int):
    model = density()
    (x,) = pieces(model, 1, 0.05)[None]
    x = x[:, : int((x[0, :, 0] >= 0).sum())]
    other = x[:, :changed].clone()  # all notes from there on are gone
    known, short = (Likelihood(model, one) for one in (x, other))
    facts = [features(one.known_notes()) for one in (known, short)]
    for whole, part in zip(*facts, strict=True):
        assert torch.equal(whole[:changed], part)
    ahead = [h.history.patterns_ahead(h.row, h.last[h.row, h.position]) for h in (known, short)]
    assert torch.equal(ahead[0][:changed], ahead[1])
    hidden = [one._hidden(one.known_notes())[0, :changed] for one in (known, short)]
    torch.testing.assert_close(*hidden)


def last_layer(head: nn.Module) -> nn.Linear:
    (*_, last) = (one for one in head.modules() if isinstance(one, nn.Linear))
    return last


def logits_of(model: LookbackDensity, attribute: str, hidden: Tensor, known: NextNote) -> Tensor:
    """The logits of an attribute of known notes."""
    outputs = getattr(model.heads, attribute)(hidden)
    return getattr(model.heads.gates, f"{attribute}_logits")(outputs, known)


def test_gates_are_those_of_transposed_music():
    """Without a logit of each absolute pitch, the logits move along with the notes."""
    model = density(grid=Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=40, pitches=30))
    last = last_layer(model.heads.pitch)
    for parameter in (last.weight, last.bias):
        parameter.data[:30] = 0
    x = pieces(model, 2)
    x = torch.where((x[..., :1] >= 0) & (x[..., 2:3] < 25), x, -1)
    higher = x.clone()
    higher[..., 2] += 5 * ((x[..., 0] >= 0) & (x[..., 1] != 1))
    known = [Likelihood(model, one).known_notes() for one in (x, higher)]
    hidden = torch.randn(len(known[0].row), 16, dtype=torch.double)
    here, there = (logits_of(model, "pitch", hidden, one) for one in known)
    melodic = known[0].track > 0
    assert melodic.sum() > 20
    torch.testing.assert_close(there[melodic, 5:], here[melodic, :-5])
    assert here[melodic].std() > 0.1
    others = [logits_of(model, "length", hidden, one) for one in known]
    torch.testing.assert_close(*others)


def test_what_stood_at_no_lag_has_no_gate():
    """A gate's own offset cancels: only its difference from that of the pattern 0 counts."""
    model = density()
    known = Likelihood(model, pieces(model, 2)).known_notes()
    hidden = torch.randn(len(known.row), 16, dtype=torch.double)
    logits = [logits_of(model, "pitch", hidden, known)]
    gates = slice(17 + 49, 17 + 49 + 16)
    last = last_layer(model.heads.pitch)
    last.bias.data[gates] += 3.0
    logits.append(logits_of(model, "pitch", hidden, known))
    last.bias.data[gates.start + 2] += 2.0  # of two bars ago
    logits.append(logits_of(model, "pitch", hidden, known))
    torch.testing.assert_close(logits[0], logits[1])
    changed = (logits[2] - logits[1]).masked_fill(logits[1] < -1e8, 0)
    expected = ((known.patterns == 2) & (logits[1] > -1e8)).double() * 2
    torch.testing.assert_close(changed, expected)
    assert (known.patterns == 2).any()


def test_what_a_track_has_used_has_a_logit_of_its_own():
    """Pitches after those of the lags and intervals, velocities after the pointers."""
    model = density()
    known = Likelihood(model, pieces(model, 2)).known_notes()
    hidden = torch.randn(len(known.row), 16, dtype=torch.double)
    cases = [
        ("pitch", 17 + 49 + 16, known.used_pitches),
        ("velocity", 127 + 7, known.used_velocities[:, 1:]),
    ]
    for attribute, place, used in cases:
        before = logits_of(model, attribute, hidden, known)
        last_layer(getattr(model.heads, attribute)).bias.data[place] += 3.0
        legal = before > -1e8
        changed = logits_of(model, attribute, hidden, known) - before
        changed = changed.masked_fill(~legal, 0)
        torch.testing.assert_close(changed, 3 * (used & legal).double())
        assert 0.01 < used.double().mean() < 0.99


def test_gates_point_at_velocities():
    """Those at the lags, of the track's last note in the chord or before, and on the pitch."""
    model = density(lags=(1, 2))
    note = [
        (0, 1, 3, 1, 20),
        (0, 1, 9, 1, 30),
        (4, 1, 3, 1, 40),
        (8, 1, 3, 1, 50),
        (8, 1, 9, 1, 60),
    ]
    known = Likelihood(model, torch.tensor([note])).known_notes()
    last = last_layer(model.heads.velocity)
    for parameter in (last.weight, last.bias):
        nn.init.zeros_(parameter)
    last.bias.data[127:] = torch.tensor([1.0, 2, 4, 8, 16, 0])
    hidden = torch.zeros(5, 16, dtype=torch.double)
    logits = logits_of(model, "velocity", hidden, known)
    pointed = [{n + 1: int(v) for n, v in enumerate(row) if v} for row in logits.tolist()]
    assert pointed == [
        {},
        {20: 4},
        {20: 1 + 16, 30: 8},
        {40: 1 + 8 + 16, 20: 2},
        {30: 2 + 16, 50: 4},
    ]


def test_the_velocity_of_the_note_before_on_a_pitch_of_a_track():
    model = density()
    row = torch.tensor([0, 0, 0, 0, 1, 1])
    columns = [[0, 0, 3, 5, 0, 9], [1, 2, 1, 1, 1, 1], [4, 4, 4, 4, 4, 4], [1] * 6]
    note = Note(*map(torch.tensor, columns), velocity=torch.tensor([10, 20, 30, 40, 50, 60]))
    found = lookback_likelihood._loudness(row, note, model.layout)
    assert found.tolist() == [0, 0, 10, 30, 0, 50]


def test_parts_of_the_body_are_dropped_in_training_alone():
    model = density(dropout=0.5)
    x = pieces(model, 2)
    assert torch.equal(model(2).log_prob(x), density()(2).log_prob(x))
    one, other = (model.train()(2).log_prob(x) for _ in range(2))
    assert not torch.equal(one, other)


def test_drums_alone_are_asked_for_no_length():
    kit, band = density(tracks=(DRUMS,)), density()
    for model, asked in ((kit, False), (band, True)):
        known = Likelihood(model, pieces(model, 2)).known_notes()
        hidden = torch.zeros(len(known.row), 16, dtype=torch.double)
        names = [attribute for attribute, _ in model.heads.conditionals(hidden, known)]
        assert ("length" in names) == asked
        assert known.some_melodic == asked
        assert known.length[known.track == 0].eq(1).all()


def test_a_song_depends_on_how_it_is_sampled():
    """The nucleus of each attribute, and the temperature, reach the samples."""
    torch.manual_seed(3)
    free = density(nucleus=WHOLE)(40).sample(6)
    assert len(free.unique(dim=0)) > 30
    certain: list[dict[str, Any]] = [
        {"nucleus": NARROW, "opening_bars": 0},
        {"nucleus": WHOLE, "temperature": 1e-6},
    ]
    for config in certain:
        assert len(density(**config)(40).sample(6).unique(dim=0)) == 1


def test_the_opening_is_sampled_from_all_choices_and_the_rest_from_the_nucleus():
    """After a note of the first half bar, two steps of four, nothing is left out."""
    model = density(nucleus=NARROW, opening_bars=0.5)
    sampler = Sampler(model, range(4), 40)
    sampler.last = replace(sampler.last, step=np.array([0, 1, 2, 3]))
    assert sampler._nuclei()["pitch"].ravel() == pytest.approx([1, 1, 1e-6, 1e-6])
    torch.manual_seed(3)
    assert len(model(40).sample(6).unique(dim=0)) > 30
    certain = model(40).sample(6, Steering(top_p=1e-6))  # of every choice
    assert len(certain.unique(dim=0)) == 1


def test_songs_in_a_key_have_an_opening_and_what_completes_a_song_has_none():
    model = density(nucleus=NARROW)
    known = torch.tensor([[[0, 0, 5, 2, 80]]]).expand(40, -1, -1)
    kept = torch.zeros(40, model.layout.tracks, 3, dtype=torch.bool)
    torch.manual_seed(3)
    free = model(40).complete(known[:, :0], kept, particles=1)
    assert len(free.unique(dim=0)) > 20
    kept[:, :, 0] = True
    after = model(40).complete(known, kept, particles=1)
    assert len(after.unique(dim=0)) == 1
    assert (after[0, :, 0] >= model.layout.bar).any()


@pytest.mark.parametrize("attribute", ["track", "pitch", "length", "velocity"])
@torch.no_grad()
def test_each_attribute_is_sampled_from_its_own_nucleus(attribute: str):
    """First notes: where only the likeliest choice of one attribute is left, it is certain."""
    nucleus = Nucleus.model_validate({**WHOLE.model_dump(), "advance": 1e-6, attribute: 1e-6})
    model = density(tracks=(PIANO, BASS, PIANO), nucleus=nucleus, opening_bars=0)
    for parameter in model.heads.parameters():
        nn.init.zeros_(parameter)
    torch.manual_seed(2)
    note = Sampler(model, range(300), 40)._sample_next().note
    names = ("track", "pitch", "length", "velocity")
    certain = {name: len(np.unique(getattr(note, name))) == 1 for name in names}
    assert certain == {name: name == attribute for name in names}


@pytest.mark.parametrize("bars", [1, 2, 23])
def test_pieces_have_any_length_and_their_notes_are_legal(bars: int):
    model = density(bars=4)
    torch.manual_seed(4)
    x = model(40).sample(bars)
    step, track, pitch, length, velocity = x[x[..., 0] >= 0].unbind(1)
    assert 4 * bars > step.max() >= 4 * (bars - 1)
    assert (step + length).max() == 4 * bars
    assert set(track.tolist()) == {0, 1, 2}
    assert length[track == 1].eq(1).all(), "drums are held"
    assert pitch.max() < 17
    assert set(velocity.tolist()) <= set(range(1, 128))
    assert len(velocity.unique()) > 8


def test_finished_rows_leave_the_batch(monkeypatch: pytest.MonkeyPatch):
    sizes, keep = [], RecurrentSteps.keep
    monkeypatch.setattr(
        RecurrentSteps, "keep", lambda self, rows: (sizes.append(len(rows)), keep(self, rows))[1]
    )
    torch.manual_seed(4)
    density()(40).sample(8)
    assert len(sizes) > 1
    assert all(
        kept < LEAST_UNFINISHED * before for before, kept in itertools.pairwise([40, *sizes])
    )


@pytest.mark.usefixtures("few_velocities")
def test_samples_have_the_frequencies_of_log_prob():
    grid = Grid(steps_per_beat=1, beats_per_bar=1, lowest_pitch=40, pitches=1)
    x, model = sequences(2, lengths=False), density(grid, (DRUMS,), 2, nucleus=WHOLE)
    with torch.no_grad():
        p = model(len(x)).log_prob(x).exp()
    samples = model(20_000).sample(2)
    samples = nn.functional.pad(samples, (0, 0, 0, 2 - samples.shape[1]), value=-1)
    found = (samples.flatten(1)[:, None] == x.flatten(1)).all(2).double().mean(0)
    assert found.sum().item() == pytest.approx(1)
    torch.testing.assert_close(found, p, atol=0.01, rtol=0)


def test_lakh_is_played_drums_first_then_the_bass():
    model = density(tracks=LAKH)
    assert [LAKH[n].name for n in model.layout.order] == [
        "Drums",
        "Bass",
        "Piano",
        "Guitar",
        "Strings",
    ]
    x = torch.tensor([[[0, 1, 5, 2, 64], [0, 3, 2, 1, 17], [0, 0, 9, 1, 127], [-1] * 5]])
    note, is_note = to_playing_order(x, model.layout)
    assert [column[0, :3].tolist() for column in note.columns] == [
        [0, 0, 0],
        [0, 1, 2],
        [9, 2, 5],
        [1, 1, 2],
        [127, 17, 64],
    ]
    assert is_note.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("body", ["gru", "transformer"])
def test_what_is_multiplied_out_is_the_network(body: str):
    """Hidden states and outputs of the heads, of notes that are read one by one."""
    model = density(body=body, layers=2)
    likelihood = Likelihood(model, pieces(model, 1, 0.05))
    known = likelihood.known_notes()
    read = likelihood.embedded(known)
    steps, heads = steps_of(model), HeadSteps(model.heads)
    with torch.no_grad():
        hidden = model.body(read)
        taken = steps.taken(read[0].numpy()) + steps.bias
        one_by_one = np.concatenate([steps(taken[n : n + 1]) for n in range(len(taken))])
        np.testing.assert_allclose(one_by_one, hidden[0])
        before = hidden[likelihood.row, likelihood.position]
        at_once, outputs = HiddenOutputs(model.heads, before), heads(before.numpy())
        facts = {
            "advance": known.own_advance,
            "in_bar": known.step % 4,
            "track": known.track * 16 + known.track_pattern,
            "profiles": known.profiles.flatten(1),
            "pitch": known.place,
            "pattern": known.pattern,
            "length": known.length,
        }
        for attribute in ATTRIBUTES:
            for fact in [fact for fact, first in KNOWN_FROM.items() if first == attribute]:
                at_once.know(fact, facts[fact])
                outputs.know(fact, facts[fact].numpy())
            pairs = zip(at_once.of(attribute), outputs.of(attribute), strict=True)
            for expected, found in pairs:
                torch.testing.assert_close(torch.from_numpy(found), expected)


def test_gates_are_relative_to_what_stands_at_no_lag():
    model = density()
    _, _, gates = model.heads.advance(torch.randn(3, 16, dtype=torch.double))
    by_pattern = gates.view(3, 6, 16)  # [n group pattern]
    assert by_pattern[:, :, 0].eq(0).all() and by_pattern[:, :, 1:].ne(0).all()


def test_samples_need_no_inference_mode():
    model = density(bars=4)
    x = model(2).sample(4)
    assert not x.is_inference()
    model(2).log_prob(x).sum().backward()
    assert model.heads.pitch.layers[0].weight.grad is not None


def test_bars_after_the_window_repeat_its_second_half():
    embedding = density(bars=10).embedding
    bars = embedding.bar_number(4 * torch.arange(22) + 3)
    assert bars.tolist() == [*range(10), *range(5, 10), *range(5, 10), 5, 6]
