"""The form of pieces: which bar repeats which, and the density of forms."""

import itertools
import math

import pytest
import torch

from core.errors import ConfigError
from musegen.bar_latents.form import (
    CLASSES,
    LONGEST,
    NEW,
    SILENT,
    UNKNOWN,
    FormDensity,
    form_of,
    givers,
    nearest,
    places,
    sources,
)

STEPS, PITCHES = 4, 12


def piece(*bars: dict[int, int]) -> torch.Tensor:
    """Return x of one track whose notes, step -> pitch, last one step each."""
    x = torch.zeros(1, 1, 3, len(bars), STEPS, PITCHES)
    for bar, notes in enumerate(bars):
        for step, pitch in notes.items():
            x[0, 0, :2, bar, step, pitch] = 1
            x[0, 0, 2, bar, step, pitch] = 0.5 + bar / 100  # a touch is no part of the form
    return x


A, A_HIGHER, B, REST = {0: 3, 2: 5}, {0: 4, 2: 6}, {1: 3}, {}


def layers(x: torch.Tensor) -> list[list[int]]:
    return form_of(x)[0, :, :, 0].tolist()


def test_a_bar_is_new_silent_or_repeats_the_last_equal_one():
    bars, rhythms = layers(piece(A, B, REST, A, A_HIGHER, B, A))
    assert bars == [NEW, NEW, SILENT, 3, NEW, 4, 3]
    assert rhythms == [NEW, NEW, SILENT, 3, 1, 4, 2]


def test_silence_is_never_repeated_and_tracks_are_apart():
    x = torch.cat([piece(REST, A, REST, A), piece(B, B, A, B)], 1)
    assert form_of(x)[0, 0].T.tolist() == [[SILENT, NEW, SILENT, 2], [NEW, 1, NEW, 2]]


def test_a_bar_that_returns_too_late_is_new():
    late = [B] * LONGEST
    assert layers(piece(A, *late, A))[0][-1] == NEW
    assert layers(piece(A, *late[1:], A))[0][-1] == LONGEST


def test_a_held_note_is_another_bar_but_the_same_rhythm():
    held = piece(A)
    held[0, 0, 0, 0, 1, 3] = 1  # the first note sounds on
    assert layers(torch.cat([piece(A), held], 3)) == [[NEW, NEW], [NEW, 1]]


def test_sources_are_followed_back_to_the_first_bar():
    layer = torch.tensor([[NEW, 1, SILENT, 2, NEW, 1, 3]])[..., None]
    assert sources(layer)[0, :, 0].tolist() == [0, 0, 2, 0, 4, 4, 0]


def test_a_form_of_sections_is_how_long_ago_each_bar_was_played():
    wanted = {"AABA": [0, 0, 2, 2, 0, 0, 4, 4], "ABAB": [0, 0, 0, 0, 4, 4, 4, 4], "A": [0] * 8}
    for sections, ago in wanted.items():
        assert [place.repeats for place in places(sections, 8)] == ago
    assert [place.begins for place in places("AABA", 8)] == [0, 0, 2, 2, 4, 4, 6, 6]


@pytest.mark.parametrize(
    ("sections", "bars", "message"),
    [
        ("AABA", 10, "10 bars do not divide into the 4 sections of AABA: --bars 8"),
        ("AABA", 15, "15 bars do not divide .*: --bars 16"),
        ("AABA", 3, "3 bars do not divide .*: --bars 4"),
        ("A1", 4, "'A1' is no form: give a letter for each section, as AABA"),
    ],
)
def test_a_form_that_cannot_be_is_refused_with_the_cure(sections, bars, message):
    with pytest.raises(ConfigError, match=message):
        places(sections, bars)


def test_given_sections_repeat_and_the_others_are_sampled():
    """AB of 20 bars each, then A: bar 40 is bar 0, which is further back than the longest."""
    torch.manual_seed(3)
    form = random_density(2)(2, 1).sample(60, places("ABA", 60))
    for layer in (0, 1):
        given = form[:, layer, 40:]
        assert torch.equal(given == SILENT, form[:, 0, :20] == SILENT)
        assert bool((given[given != SILENT] == 40).all())
    assert bool((form[:, :, :40] <= LONGEST).all())


def test_nothing_in_a_new_section_repeats_an_earlier_one():
    torch.manual_seed(4)
    form = FormDensity(2, width=6)(40, 1).sample(8, places("AB", 8))
    within = torch.arange(4)[:, None]
    assert bool((form[:, 0, 4:] <= within).all())
    assert bool((form[:, 1, 4:] > within).any())  # a rhythm can be an old one


def random_density(tracks: int) -> FormDensity:
    torch.manual_seed(1)
    density = FormDensity(tracks, width=6)
    for parameter in density.parameters():
        torch.nn.init.normal_(parameter)
    return density


def every_form(bars: int) -> torch.Tensor:
    """Return all forms of one track: bars, and rhythms where a bar is new."""
    found = []
    for choice in itertools.product(range(SILENT, bars), repeat=bars):
        played = [value != SILENT for value in choice]
        legal = [v <= NEW or (v <= bar and played[bar - v]) for bar, v in enumerate(choice)]
        if not all(legal):
            continue
        options = [
            [v] if v != NEW else [NEW, *(d for d in range(1, bar + 1) if played[bar - d])]
            for bar, v in enumerate(choice)
        ]
        found += [(choice, rhythm) for rhythm in itertools.product(*options)]
    return torch.tensor(found)[..., None]  # [form 2 bar 1]


def test_chances_of_all_forms_of_three_bars_sum_to_one():
    density, forms = random_density(1), every_form(3)
    with torch.no_grad():
        log_prob = density(len(forms), 1).log_prob(forms)
    assert len(forms) == 28
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-4)


def test_sampled_forms_have_the_frequencies_that_the_density_states():
    density, forms = random_density(1), every_form(2)
    torch.manual_seed(0)
    drawn = density(4000, 2).rsample()[..., 0].tolist()
    with torch.no_grad():
        chances = density(len(forms), 1).log_prob(forms).exp()
    for form, chance in zip(forms[..., 0].tolist(), chances.tolist(), strict=True):
        deviation = math.sqrt(chance * (1 - chance) / 4000)
        assert abs(drawn.count(form) / 4000 - chance) < 4 * deviation + 1e-3


def posterior(density: FormDensity, known: torch.Tensor, forms: torch.Tensor) -> torch.Tensor:
    """Return p(form given what is known) of all forms that agree with it."""
    agrees = ((forms == known) | (known == UNKNOWN)).flatten(1).all(1)
    with torch.no_grad():
        chances = density(len(forms), 1).log_prob(forms).exp() * agrees
    return chances / chances.sum()


def test_what_is_known_later_speaks_for_what_is_sampled_before():
    """Two open bars before a silent one have the frequencies of Bayes' rule."""
    density, forms = random_density(1), every_form(3)
    known = torch.tensor([UNKNOWN, UNKNOWN, SILENT]).repeat(2, 1)[..., None]
    torch.manual_seed(0)
    drawn = density(3000, 3).completed(known)
    assert bool((drawn[:, :, 2] == SILENT).all())
    counts = (drawn[:, None] == forms).flatten(2).all(2).sum(0)
    expected = posterior(density, known, forms)
    causal = (density(3000, 3).sample(3, known=known)[:, None] == forms).flatten(2).all(2).sum(0)
    assert (counts / 3000 - expected).abs().max() < 0.04
    assert (causal / 3000 - expected).abs().max() > 0.06


def test_a_known_bar_can_repeat_an_open_one(monkeypatch: pytest.MonkeyPatch):
    """A third bar that no kept one equals is new, or repeats an open bar that is new."""
    monkeypatch.setattr("musegen.bar_latents.form.CANDIDATES", 100)
    density, forms = random_density(1), every_form(3)
    known = torch.tensor([UNKNOWN, UNKNOWN, NEW]).repeat(2, 1)[..., None]
    torch.manual_seed(0)
    drawn = density(800, 3).completed(known)
    last = forms[:, 0, 2, 0]
    origin = (2 - last.clamp(min=0)).expand(2, 1, -1).permute(2, 0, 1)  # [form 2 1]
    recalls = (forms[..., 0].take_along_dim(origin, 2) == NEW).all(1)[:, 0]
    fits = torch.where(last > NEW, recalls, (forms[:, :, 2, 0] == NEW).all(1))
    with torch.no_grad():
        chances = density(len(forms), 1).log_prob(nearest(forms)).exp() * fits
    expected = (chances[last > NEW].sum() / chances.sum()).item()
    assert 0.05 < expected < 0.95
    repeats = (drawn[:, 0, 2, 0] > NEW).float().mean().item()
    assert repeats == pytest.approx(expected, abs=0.035)


def test_the_giver_of_a_bar_is_the_first_kept_one_that_is_equal():
    """A B A C, of which bars 2 and 3 are kept: A is given by bar 2, wherever it stands."""
    layer = torch.tensor([NEW, NEW, 2, NEW, 2])[None, :, None]
    kept = torch.tensor([False, False, True, True, False])[:, None]
    assert givers(layer, kept)[0, :, 0].tolist() == [2, 1, 2, 3, 2]


def test_long_forms_are_legal_beyond_the_longest_distance():
    torch.manual_seed(2)
    form = random_density(2)(3, 1).sample(2 * LONGEST + 4)
    assert form.min() >= SILENT and form.max() < CLASSES - 1
    sounding = form[:, 0] != SILENT
    for bar in range(form.shape[2]):
        for layer in (0, 1):
            distance = form[:, layer, bar].clamp(min=0)
            assert bool((distance <= bar).all())
            source = sounding.gather(1, (bar - distance)[:, None])[:, 0]
            assert bool(source[distance > 0].all())
    assert torch.equal(form[:, 1] == SILENT, form[:, 0] == SILENT)


def test_it_learns_that_a_track_rests_where_another_plays():
    """log p of the rule's forms tends to the entropy of the rule: log 2 for each bar."""
    torch.manual_seed(0)
    density = FormDensity(2, width=16)
    optimizer = torch.optim.Adam(density.parameters(), 0.02)
    for _ in range(150):
        plays = torch.rand(64, 3) < 0.5
        first = torch.where(plays, NEW, SILENT)
        bars = torch.stack([first, torch.where(plays, SILENT, NEW)], 2)  # [batch bar track]
        form = torch.stack([bars, bars], 1)
        loss = -density(64, 3).log_prob(form).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(3 * math.log(2), abs=0.25)
