"""Completion: the open bars of pieces given the kept ones, by counting all pieces."""

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.densities.categorical import denser, descendants, hazards, probabilities, sampled
from core.densities.recurrent import RecurrentSteps
from core.densities.transformer import nucleus
from core.errors import ConfigError
from musegen.densities import completion, lookback, lookback_heads, lookback_rnn
from musegen.densities.completion import Completion
from musegen.densities.lookback import Note
from musegen.densities.lookback_likelihood import to_playing_order
from musegen.densities.lookback_network import LookbackConfig, Nucleus
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.lookback_sampler import Sampler
from musegen.densities.next_note import Attribute
from musegen.densities.note_sequences import NoteRows, join_rows
from musegen.roll import Grid
from musegen.steering import UNSTEERED, Key, Steering
from musegen.tracks import Track

KIT = Track(name="Kit", is_drum=True)
SHAKER = Track(name="Shaker", is_drum=True)
PIANO = Track(name="Piano", family="piano")
BASS = Track(name="Low", program=33, family="bass")
GRID = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=41, pitches=17)
WHOLE = Nucleus(advance=1, track=1, pitch=1, length=1, velocity=1)
BARS = 6


def density(
    grid: Grid = GRID, tracks: tuple[Track, ...] = (PIANO, KIT, BASS), **config: Any
) -> LookbackDensity:
    """A density of random weights, far from uniform, which plays in most steps."""
    torch.manual_seed(7)
    settings = LookbackConfig.model_validate({"width": 16, **config})
    model = LookbackDensity(settings, grid, tracks, BARS)
    for table in (m.weight for m in model.modules() if isinstance(m, nn.Embedding)):
        nn.init.normal_(table, std=0.6)
    last = [m for m in model.heads.advance.modules() if isinstance(m, nn.Linear)][-1]
    last.bias.data[: model.layout.advances + 1] -= 0.7 * torch.arange(model.layout.advances + 1)
    return model.double().eval()


def found(x: NoteRows) -> list[set[tuple[int, ...]]]:
    """The notes of each row."""
    return [{tuple(note) for note in row if note[0] >= 0} for row in x.tolist()]


def given(x: NoteRows, kept: Tensor, bar: int) -> NoteRows:
    """The notes that start in kept bars."""
    row = torch.arange(len(x))[:, None]
    stays = (x[..., 0] >= 0) & kept[row, x[..., 1].clamp(min=0), x[..., 0].clamp(min=0) // bar]
    return torch.where(stays[..., None], x, -1)


def piece(model: LookbackDensity, batch: int, seed: int = 1) -> NoteRows:
    torch.manual_seed(seed)
    return model(batch).sample(BARS)


PARTS = {
    "one track is open": lambda kept: kept[:, 2].fill_(False),
    "two bars are": lambda kept: kept[:, :, 2:4].fill_(False),
    "all but a track is": lambda kept: kept[:, [0, 2]].fill_(False),
    "the end is": lambda kept: kept[:, :, 4:].fill_(False),
    "all is": lambda kept: kept.fill_(False),
    "each row another": lambda kept: (kept[0, :, :2].fill_(False), kept[1, 0].fill_(False)),
    "nothing is": lambda kept: kept,
}


def test_what_is_kept_far_away_does_not_count():
    """With lags of 1 and 2 bars and windows of 6, bars 20 to 23 depend on bars 12 to 25."""
    model = density(lags=(1, 2), listens=True)
    assert model.heads.kept
    for gates in model.heads.kept.parameters():
        nn.init.normal_(gates)
    torch.manual_seed(3)
    song = model(1).sample(32)
    kept = torch.ones(1, 3, 32, dtype=torch.bool)
    kept[:, :, 20:24] = False
    bar = song[..., 0] // GRID.steps_per_bar

    def filled(known: Tensor) -> set[tuple[int, ...]]:
        torch.manual_seed(4)
        notes = given(torch.where((known & (song[..., 0] >= 0))[..., None], song, -1), kept, 4)
        (all_notes,) = found(model(1).complete(notes, kept, particles=2))
        return {note for note in all_notes if 20 <= note[0] // GRID.steps_per_bar < 24}

    whole = filled(bar >= 0)
    assert len(whole) > 4
    assert filled((bar >= 12) & (bar < 26)) == whole
    assert filled(bar >= 13) != whole
    assert filled(bar < 24) != whole


@pytest.mark.parametrize("particles", [1, 3])
@pytest.mark.parametrize("part", PARTS)
def test_kept_notes_stay_and_kept_bars_get_no_others(part: str, particles: int):
    model = density(nucleus=WHOLE)
    kept = torch.ones(2, 3, BARS, dtype=torch.bool)
    PARTS[part](kept)
    notes = given(piece(model, 2), kept, 4)
    completed = model(2).complete(notes, kept, particles=particles)
    for number, (before, after) in enumerate(zip(found(notes), found(completed), strict=True)):
        assert before <= after
        bars = {(track, step // 4) for step, track, *_ in after - before}
        assert all(not kept[number, track, bar] for track, bar in bars)
        assert bars or kept[number].all()
        assert all(step + length <= 4 * BARS for step, _, _, length, _ in after)


def test_what_is_kept_changes_what_is_composed():
    model = density()
    kept = torch.zeros(2, 3, BARS, dtype=torch.bool)
    kept[:, 0] = True
    composed = []
    for seed in (1, 2):
        notes = given(piece(model, 2, seed), kept, 4)
        torch.manual_seed(0)
        after = model(2).complete(notes, kept)
        composed.append([a - b for a, b in zip(found(after), found(notes), strict=True)])
    assert composed[0] != composed[1]


@pytest.fixture
def few_velocities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be the velocities 1 to 3 only, so that all pieces can be counted."""
    for module in (lookback, lookback_heads):
        monkeypatch.setattr(module, "VELOCITIES", 4)


SLOTS = [(0, 0), (0, 1), (1, 0), (1, 1)]
"""Steps and tracks in the order of playing."""


@pytest.fixture
def counted(few_velocities) -> tuple[LookbackDensity, dict[tuple[int, ...], float]]:
    """A density of two tracks of one pitch over two bars of a step, and p of every piece.

    A piece is the velocity in each slot; 0 is silence.
    """
    grid = Grid(steps_per_beat=1, beats_per_bar=1, lowest_pitch=40, pitches=1)
    model = density(grid, (KIT, SHAKER), nucleus=WHOLE)
    model.bars = 2
    every = list(itertools.product(range(4), repeat=4))
    p = model(len(every)).log_prob(torch.tensor([rows_of(one) for one in every])).exp()
    assert p.sum().item() == pytest.approx(1)
    return model, dict(zip(every, p.tolist(), strict=True))


def rows_of(velocities: tuple[int, ...]) -> list[list[int]]:
    notes = zip(SLOTS, velocities, strict=True)
    return [[step, track, 0, 1, v] if v else [-1] * 5 for (step, track), v in notes]


def velocities_of(x: NoteRows) -> list[tuple[int, ...]]:
    """Invert `rows_of`."""
    pieces = []
    for notes in found(x):
        at = {(step, track): velocity for step, track, _, _, velocity in notes}
        pieces.append(tuple(at.get(slot, 0) for slot in SLOTS))
    return pieces


COUNT = 4000


def frequencies(model: LookbackDensity, track: int, velocities: tuple[int, int], particles: int):
    """Return the share of each piece that is completed of two given velocities of a track."""
    piece = [0] * 4
    piece[track], piece[track + 2] = velocities
    notes = torch.tensor([rows_of(tuple(piece))]).expand(COUNT, -1, -1)
    kept = torch.tensor([n == track for n in range(2)])[None, :, None].expand(COUNT, -1, 2)
    torch.manual_seed(3)
    pieces = velocities_of(model(COUNT).complete(notes, kept, particles=particles))
    return {one: pieces.count(one) / COUNT for one in set(pieces)}


def agrees(piece: tuple[int, ...], track: int, velocities: tuple[int, int]) -> bool:
    return (piece[track], piece[track + 2]) == velocities


def distance(one: dict, other: dict) -> float:
    """The total variation."""
    return sum(abs(one.get(k, 0) - other.get(k, 0)) for k in {*one, *other}) / 2


@pytest.mark.parametrize("velocities", [(0, 2), (3, 0), (1, 2)])
@pytest.mark.parametrize("track", [0, 1])
def test_one_particle_has_in_open_slots_the_chances_given_what_is_before(
    counted: tuple, track: int, velocities: tuple[int, int]
):
    """Thinning: p of each open slot's outcome given all slots before it, kept ones too."""
    model, p = counted

    def chance(piece: tuple[int, ...], slot: int) -> float:
        same = [sum(p[q] for q in p if q[:n] == piece[:n]) for n in (slot, slot + 1)]
        return same[1] / same[0]

    open_slots = [1 - track, 3 - track]
    expected = {
        piece: chance(piece, open_slots[0]) * chance(piece, open_slots[1])
        for piece in p
        if agrees(piece, track, velocities)
    }
    assert sum(expected.values()) == pytest.approx(1)
    assert distance(frequencies(model, track, velocities, 1), expected) < 0.03


@pytest.mark.parametrize(
    "velocities",
    [(1, 2), *(pytest.param(two, marks=pytest.mark.slow) for two in [(0, 2), (3, 0)])],
)
def test_many_particles_have_the_chances_given_all_that_is_kept(
    counted: tuple, velocities: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    """The open track is before the kept one in each step, which one particle does not hear."""
    model, p = counted
    whole = {piece: q for piece, q in p.items() if agrees(piece, 1, velocities)}
    posterior = {piece: q / sum(whole.values()) for piece, q in whole.items()}
    deaf = distance(frequencies(model, 1, velocities, 1), posterior)
    assert deaf > 0.04
    for least in (0.0, 1.1):  # drawn by their weights at the end, and replaced after each beat
        monkeypatch.setattr(completion, "LEAST_EFFECTIVE", least)
        hearing = distance(frequencies(model, 1, velocities, 12), posterior)
        assert hearing < deaf / 2 and hearing < 0.04


def test_a_beat_with_all_open_is_sampled_as_without_beats(counted: tuple):
    model, p = counted
    nothing = torch.zeros(COUNT, 2, 2, dtype=torch.bool)
    x = model(COUNT).complete(torch.zeros(COUNT, 0, 5, dtype=torch.long), nothing)
    found_of: dict[tuple[bool, ...], float] = defaultdict(float)
    expected: dict[tuple[bool, ...], float] = defaultdict(float)
    for piece in velocities_of(x):
        found_of[tuple(map(bool, piece))] += 1 / COUNT
    for piece, q in p.items():
        expected[tuple(map(bool, piece))] += q
    assert distance(found_of, expected) < 0.03


def test_survival_is_raised_to_the_power_of_the_density():
    p = np.array([[0.1, 0.0, 0.5, 0.15, 0.25], [0.6, 0.4, 0.0, 0.0, 0.0]])
    hazard = hazards(p, last=0.4)
    survival = 1 - p.cumsum(1)[:, :-1]
    np.testing.assert_allclose((1 - hazard[:, :-1]).cumprod(1), survival, atol=1e-9)
    assert hazard[:, -1].tolist() == pytest.approx([0.4, 0.4])
    for density in (0.5, 1, 3):
        denser_survival = (1 - denser(hazard, density)).cumprod(1)
        expected = survival.clip(min=0) ** density
        np.testing.assert_allclose(denser_survival[:, :-1], expected, atol=1e-4)


def test_outside_of_the_nucleus_is_what_nothing_else_is_left_for():
    p = np.array([[0.5, 0.04, 0.4, 0.06]])
    expected = np.array([[0.5, 0.04e-6, 0.4, 0.06e-6]])
    np.testing.assert_allclose(probabilities(np.log(p), 1.0, 0.85), expected / expected.sum())
    np.testing.assert_allclose(probabilities(np.log(p), 0.5, 1.0), p**2 / (p**2).sum())


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.9), (0.7, 1.0), (1.3, 0.5)])
def test_samples_are_of_the_nucleus_and_as_frequent_as_they_are_likely(
    temperature: float, share: float
):
    """Uniform numbers at equal distances: each choice has as many of them as is its chance."""
    torch.manual_seed(4)
    logits, uniform = 2 * torch.randn(1, 40), (np.arange(5000) + 0.5) / 5000
    p, choice = nucleus(logits / temperature, share)
    expected = torch.zeros(1, 40).scatter(1, choice, p / p.sum())[0]
    many = logits.numpy().repeat(5000, 0)
    found = np.bincount(sampled(many, temperature, share, uniform), minlength=40) / 5000
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert not found[expected == 0].any()
    assert (found > 0).sum() > 3


def test_nothing_impossible_is_sampled():
    """The least and the largest uniform numbers of single precision."""
    logits = np.array([[-1e9, 0.3, -1e9, 0.1, -1e9]], np.float32).repeat(2, 0)
    uniform = np.array([0, 1 - 2**-24], np.float32)
    assert sampled(logits, 1.0, 1.0, uniform).tolist() == [1, 3]
    assert sampled(logits, 1.0, 0.5, uniform).tolist() == [1, 1]


def test_the_density_follows_its_dial():
    model = density(nucleus=WHOLE)
    torch.manual_seed(2)
    counts = [
        (model(60).sample(BARS, Steering(density=d))[..., 0] >= 0).double().sum(1).mean().item()
        for d in (0.5, 0.9999, 2)
    ]
    (usual,) = [(model(60).sample(BARS)[..., 0] >= 0).double().sum(1).mean().item()]
    assert counts[0] < 0.85 * counts[1] and counts[1] < 0.85 * counts[2]
    assert counts[1] == pytest.approx(usual, rel=0.1)


def test_a_key_divides_the_odds_of_notes_outside():
    """All pitches are equally likely to the network; the lowest one is F."""
    model = density(nucleus=WHOLE)
    for parameter in model.heads.pitch.parameters():
        nn.init.zeros_(parameter)
    key = Key.parse("F# major")
    pitches = 41 + torch.arange(17)
    inside = torch.tensor([int(n % 12) in (6, 8, 10, 11, 1, 3, 5) for n in pitches])
    shares = []
    for strength in (1, 0.75, 0):
        torch.manual_seed(1)
        steering = Steering(key=key, scale_strength=strength, density=0.5)
        lowest: dict[tuple[int, int, int], int] = {}
        for row, notes in enumerate(found(model(200).sample(BARS, steering))):
            for step, track, pitch, *_ in sorted(notes, reverse=True):
                lowest[row, step, track] = pitch  # those above it in the chord come later
        assert not all(inside[p] for (*_, track), p in lowest.items() if track == 1), "a drum"
        melodic = [p for (*_, track), p in lowest.items() if track != 1]
        shares.append(inside[melodic].double().mean().item())
    assert shares[0] == 1
    n = inside.sum().item()
    assert shares[1] == pytest.approx(n / (n + (17 - n) * 0.25), abs=0.03)
    assert shares[2] == pytest.approx(n / 17, abs=0.03)


def test_a_chord_ends_where_the_key_has_no_higher_pitch():
    """Only chords are played, and C is the highest pitch of the key but not of all."""
    grid = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=60, pitches=2)
    model = density(grid, (PIANO,))
    last = [m for m in model.heads.advance.modules() if isinstance(m, nn.Linear)][-1]
    last.bias.data[0] += 30
    x = model(20).sample(BARS, Steering(key=Key.parse("C")))
    assert x[x[..., 0] >= 0][:, 2].eq(0).all()
    assert x[..., 0].max() > 8


def test_steering_reaches_completion():
    """Composed notes are less various where the nucleus is small, and where it is cold."""
    model = density(nucleus=WHOLE)
    kept = torch.zeros(30, 3, BARS, dtype=torch.bool)
    kept[:, 1] = True
    notes = given(piece(model, 1), kept[:1], 4).expand(30, -1, -1)
    torch.manual_seed(1)
    for narrow in (Steering(top_p=1e-6), Steering(temperature=1e-6)):
        few, many = (
            model(30).complete(notes, kept, steering, 1)[..., 2:].flatten(0, 1)
            for steering in (narrow, UNSTEERED)
        )
        assert len(few.unique(dim=0)) < 0.7 * len(many.unique(dim=0))


class Replay(Sampler):
    """A sampler whose next note is given."""

    given: Note

    def _sample(self, attribute: Attribute, logits: np.ndarray) -> np.ndarray:
        if attribute == "advance":
            return self.given.step.numpy() - self.last.step
        value = getattr(self.given, attribute).numpy()
        return value - 1 if attribute in ("length", "velocity") else value


def state(sampler: Sampler) -> np.ndarray:
    assert isinstance(sampler.body, RecurrentSteps)
    assert sampler.body.state is not None
    return sampler.body.state


@torch.no_grad()
def test_known_notes_are_read_at_once_as_one_after_another():
    model = density()
    x = piece(model, 1)
    x = x[:, x[0, :, 0] >= 0]
    at_once, one_by_one = Sampler(model, [1], 4 * BARS), Replay(model, [1], 4 * BARS)
    at_once._read(x)
    notes, _ = to_playing_order(x, model.layout)
    assert x.shape[1] > 5
    for number in range(x.shape[1]):
        one_by_one.given = notes[:, number]
        one_by_one._append(one_by_one._sample_next())
    for name in ("latest", "of_last", "earlier", "loudness"):
        np.testing.assert_allclose(getattr(at_once, name), getattr(one_by_one, name))
    np.testing.assert_allclose(at_once.taken, one_by_one.taken)
    for name in ("cells", "pitches", "tracks", "sounding", "first"):
        grids = (getattr(sampler.history, name) for sampler in (at_once, one_by_one))
        assert np.array_equal(*grids)
    assert at_once.last.columns == one_by_one.last.columns
    np.testing.assert_allclose(state(at_once), state(one_by_one))


def test_descendants_are_as_many_as_their_shares_and_stay_in_place():
    share = np.array([0.05, 0.45, 0.0, 0.3, 0.2])
    for uniform in (0.01, 0.37, 0.999):
        parents = descendants(share, uniform)
        count = np.bincount(parents, minlength=5)
        assert (np.abs(count - 5 * share) < 1).all()
        survivors = np.flatnonzero(count)
        assert np.array_equal(parents[survivors], survivors)


def test_a_form_repeats_its_sections_but_for_their_last_bar():
    model = density(nucleus=WHOLE)
    torch.manual_seed(1)
    x = model(8).sample(12, Steering(form="AABA"))

    def bars(notes: set[tuple[int, ...]], first: int, count: int) -> set[tuple[int, ...]]:
        begin, end = 4 * first, 4 * (first + count)
        return {(s - begin, t, p, v) for s, t, p, _, v in notes if begin <= s < end}

    for notes in found(x):
        assert bars(notes, 0, 2) == bars(notes, 3, 2) == bars(notes, 9, 2)
        assert bars(notes, 0, 2) != bars(notes, 6, 2)
    for repeat in (3, 9):
        assert sum(bars(n, 2, 1) != bars(n, repeat + 2, 1) for n in found(x)) > 4
    with pytest.raises(ConfigError, match="10 bars do not divide into the 4 sections"):
        model(1).sample(10, Steering(form="AABA"))
    short, free = (found(model(8).sample(2, Steering(form=form))) for form in ("AA", ""))
    assert all(bars(n, 0, 1) and bars(n, 0, 1) == bars(n, 1, 1) for n in short)
    assert sum(bars(n, 0, 1) != bars(n, 1, 1) for n in free) > 4, "by chance they are not the same"


def test_composed_notes_give_way_to_kept_ones():
    """Track 0, pitch 3: composed at steps 1, 2, 4 and 9, kept at 2 for 4 steps and at 10."""
    kept = torch.tensor([[[2, 0, 3, 4, 9], [10, 0, 3, 1, 9], [2, 0, 5, 30, 9]]])
    composed = torch.tensor(
        [[[1, 0, 3, 5, 1], [4, 0, 3, 1, 2], [9, 0, 3, 4, 3], [4, 1, 3, 9, 4], [-1] * 5]]
    )
    joined = join_rows(kept, composed, GRID, 12)
    expected = {(1, 0, 3, 1, 1), (9, 0, 3, 1, 3), (4, 1, 3, 8, 4), *map(tuple, kept[0].tolist())}
    assert found(joined) == [expected]


def test_a_transformer_cannot_complete():
    model = density(body="transformer")
    with pytest.raises(ConfigError, match=r"model\.lookback\.body=gru"):
        model(1).sample(2, Steering(density=2))


@torch.no_grad()
def test_particles_of_a_piece_begin_equal_and_part():
    model = density(nucleus=WHOLE)
    kept = torch.ones(2, 3, BARS, dtype=torch.bool)
    kept[:, :, 2:4] = False
    notes = given(piece(model, 2), kept, 4)
    sampler = Completion(model, notes, kept, UNSTEERED, 4)
    assert sampler.rows.tolist() == [0] * 4 + [1] * 4
    assert len(sampler.history.cells) == 8
    sampler.run()
    parts = sampler.history.cells[:, sampler.history.before :][:, 8:16]
    assert len(np.unique(parts, axis=0)) > 2


def keeping(part: str) -> Tensor:
    """A piece of which bars 2 and 3 are open: in all tracks, or in that of the bass."""
    kept = torch.ones(1, 3, BARS, dtype=torch.bool)
    kept[:, 2 if part == "a track" else slice(None), 2:4] = False
    return kept


@pytest.mark.parametrize(("part", "end"), [("a track", 4), ("all tracks", 5)])
def test_a_bar_that_follows_judges_only_where_no_track_is_kept(part: str, end: int):
    model = density()
    notes = given(piece(model, 1), keeping(part), 4)
    sampler = Completion(model, notes, keeping(part), UNSTEERED, 2)
    assert sampler.end == end * GRID.steps_per_bar


@pytest.mark.parametrize(("part", "particles"), [("a track", 8), ("all tracks", 3)])
@torch.no_grad()
def test_particles_are_few_where_no_track_is_kept(
    part: str, particles: int, monkeypatch: pytest.MonkeyPatch
):
    counts = []

    class Counted(Completion):
        def run(self) -> NoteRows:
            counts.append(self.particles)
            return super().run()

    monkeypatch.setattr(lookback_rnn, "Completion", Counted)
    model = density()
    model(1).complete(given(piece(model, 1), keeping(part), 4), keeping(part))
    assert counts == [particles]


@torch.no_grad()
def test_particles_wait_for_each_other_only_where_something_is_kept():
    """Bars 0 and 1 are open, of the others the bass alone: a beat has two steps, a bar four."""
    model = density(nucleus=WHOLE)
    kept = torch.zeros(1, 3, BARS, dtype=torch.bool)
    kept[:, :2, 2:] = True
    sampler = Completion(model, given(piece(model, 1), kept, 4), kept, UNSTEERED, 4)
    apart = set()
    while (sampler.begin < sampler.end).any():
        sampler._go_on()
        if len(set(sampler.begin.tolist())) > 1:
            apart |= set(sampler.begin.tolist())
    assert apart == {0, 2, 4, 6, 8}
