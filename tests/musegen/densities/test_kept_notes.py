"""Kept notes and their gates, by hand in bars of four steps with beats of two."""

import torch
from torch import Tensor

from musegen.densities.kept_notes import KeptGates, KeptNotes
from musegen.densities.lookback import Layout, Note
from musegen.densities.lookback_network import LookbackConfig, Nucleus
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.note_sequences import NoteRows
from musegen.roll import Grid
from musegen.steering import Steering
from musegen.tracks import Track

GRID = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=40, pitches=26)
TRACKS = (
    Track(name="Lead"),
    Track(name="Kit", is_drum=True),
    Track(name="Low", family="bass"),
)
LAYOUT = Layout.of(GRID, TRACKS, (1, 2))
KIT, LOW, LEAD = 0, 1, 2
"""Tracks in the order of playing."""

NOTES = [  # step, track, pitch, length, velocity
    (1, LEAD, 4, 3, 9),
    (2, LOW, 7, 1, 9),
    (2, LEAD, 16, 1, 9),
    (5, KIT, 4, 1, 9),
    (6, LEAD, 21, 9, 9),
    (9, LEAD, 4, 1, 9),
]


def kept_notes() -> KeptNotes:
    """The notes in row 1 of two; the last but one is not kept."""
    columns = torch.tensor(NOTES).T[:, None].expand(-1, 2, -1)
    is_kept = torch.tensor([[False] * 6, [True, True, True, True, False, True]])
    return KeptNotes(LAYOUT, is_kept, Note(*columns), 12, torch.device("cpu"))


def classes(profile: Tensor) -> dict[int, float]:
    return {n: round(v, 3) for n, v in enumerate(profile.tolist()) if v}


def test_profiles_are_of_what_is_kept_before_and_after():
    kept = kept_notes().seen_by(torch.tensor([1, 1, 0]))
    now, bass, beat, bar, next_bar = kept.profiles(torch.tensor([2, 4, 2])).transpose(0, 1)
    assert classes(now[0]) == {4: 2.0, 7: 1.0}
    assert classes(bass[0]) == {7: 1.0}
    assert classes(beat[0]) == {4: 1.0, 7: 0.333}  # steps 2 and 3: three of E, one of G
    assert classes(bar[0]) == {4: 1.0, 7: 0.25}
    assert classes(next_bar[0]) == {}
    assert classes(now[1]) == classes(bar[1]) == {}, "drums have no pitch class"
    assert classes(next_bar[1]) == {4: 1.0}
    assert not kept.profiles(torch.tensor([2, 4, 2]))[2].any()


def test_patterns_are_the_bars_ahead_at_which_a_note_is_kept():
    kept = kept_notes().seen_by(torch.tensor([1, 1, 1, 0]))
    patterns = kept.patterns(torch.tensor([1, 5, 1, 1]), torch.tensor([LEAD, LEAD, KIT, LEAD]))
    found = [{n: v for n, v in enumerate(row) if v} for row in patterns.tolist()]
    assert found == [{4: 2}, {4: 1}, {4: 1}, {}]


def test_a_gate_is_relative_to_the_candidate():
    """The bass is given weights of a fifth and of a note a bar ahead; other tracks have none."""
    gates = KeptGates(LAYOUT)
    gates.circular.data[LOW, 0, 7] = 3.0  # what sounds now a fifth above the candidate
    gates.lags.data[LEAD] = torch.tensor([1.0, 6.0, 1.0, 1.0])  # five more than without a lag
    kept = kept_notes().seen_by(torch.tensor([1, 1, 1]))
    step, track = torch.tensor([2, 5, 2]), torch.tensor([LOW, LEAD, KIT])
    added = [{n: v for n, v in enumerate(row) if v} for row in gates(kept, step, track).tolist()]
    assert added == [{0: 3.0, 9: 6.0, 12: 3.0, 21: 6.0, 24: 3.0}, {4: 5.0}, {}]


def density(**config: object) -> LookbackDensity:
    torch.manual_seed(3)
    settings = LookbackConfig.model_validate({"width": 16, "lags": (1, 2), **config})
    return LookbackDensity(settings, GRID, TRACKS, 6).eval()


def pieces(model: LookbackDensity) -> NoteRows:
    torch.manual_seed(4)
    return model(20).sample(6)


def test_gates_alone_are_trained_and_begin_at_nothing():
    whole = Nucleus(advance=1, track=1, pitch=1, length=1, velocity=1)
    model, plain = density(listens=True, nucleus=whole), density(nucleus=whole)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"heads.kept.circular", "heads.kept.lags"}
    model.load_state_dict(plain.state_dict(), strict=False)
    x = pieces(model)
    kept = torch.zeros(20, 3, 6, dtype=torch.bool)
    kept[:, :, 3:] = True
    kept[:, 0] = True
    torch.testing.assert_close(model(20, kept).log_prob(x), plain(20).log_prob(x))
    model(20, kept).log_prob(x).sum().backward()
    assert model.heads.kept is not None
    assert model.heads.kept.circular.grad is not None
    assert model.heads.kept.circular.grad.abs().sum() > 0
    for parameter in model.heads.kept.parameters():
        torch.nn.init.normal_(parameter)
    changed = (model(20, kept).log_prob(x) - plain(20).log_prob(x)).abs()
    assert changed.max() > 0.1
    torch.testing.assert_close(model(20).log_prob(x), plain(20).log_prob(x))
    nothing = model(20, torch.ones_like(kept)).log_prob(x)
    torch.testing.assert_close(nothing, plain(20).log_prob(x))


def test_what_is_composed_follows_the_gates():
    """A bass that plays what the kept lead sounds; drums do as they like."""
    model = density(listens=True)
    assert model.heads.kept is not None
    model.heads.kept.circular.data[LOW, 0, 0] = 40.0
    lead = torch.tensor([[[step, 0, 5, 1, 64] for step in range(24)]]).expand(5, -1, -1)
    kept = torch.tensor([True, True, False])[None, :, None].expand(5, -1, 6)
    torch.manual_seed(1)
    x = model(5).complete(lead, kept, Steering(density=4, top_p=1), particles=1)
    bass = x[x[..., 1] == 2]
    assert len(bass) > 8
    assert (bass[:, 2] % 12 == 5).all()
