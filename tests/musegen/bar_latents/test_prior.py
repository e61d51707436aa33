"""The prior over bar latents: MuseGAN's wirings along a form."""

import pytest
import torch

from musegen.bar_latents.autoencoder import BarLatentsConfig, normalised
from musegen.bar_latents.form import NEW, SILENT
from musegen.bar_latents.prior import KeptLatents, LatentPrior
from musegen.tracks import Track

CONFIG = BarLatentsConfig(rhythm=4, notes=6, touch=2, latent=8, hidden=16)
TRACKS = [Track(name="drums", is_drum=True), Track(name="bass")]
WIRINGS = ("composer", "jamming", "hybrid")


def prior(wiring: str = "hybrid", bars: int = 4) -> LatentPrior:
    torch.manual_seed(1)
    return LatentPrior(CONFIG.replace(wiring=wiring), TRACKS, bars)


def bars_of(z: torch.Tensor) -> torch.Tensor:
    return z.unflatten(1, (-1, len(TRACKS), CONFIG.size))


def form(drums: list[int], bass: list[int], rhythm: list[int] | None = None) -> torch.Tensor:
    """Return a form of two tracks; `rhythm`: of the bass, where it is not that of its bars."""
    bars = torch.tensor([drums, bass]).T
    rhythms = torch.tensor([drums, rhythm or bass]).T
    return torch.stack([bars, rhythms])[None]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_repeated_bars_are_equal_new_ones_differ_and_silent_ones_are_0(wiring):
    """Drums: A B A A; bass: A, rest, A, B."""
    wanted = form([NEW, NEW, 2, 1], [NEW, SILENT, 2, NEW])
    z = bars_of(prior(wiring)(1, wanted).rsample())[0]
    drums, bass = z[:, 0], z[:, 1]
    assert torch.equal(drums[0], drums[2]) and torch.equal(drums[2], drums[3])
    assert not torch.equal(drums[0], drums[1])
    assert torch.equal(bass[0], bass[2]) and not bass[1].any()
    assert not torch.equal(bass[0], bass[3])


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_new_bar_can_have_an_old_rhythm(wiring):
    wanted = form([NEW] * 4, [NEW] * 4, rhythm=[NEW, NEW, 2, NEW])
    bass = bars_of(prior(wiring)(1, wanted).rsample())[0, :, 1]
    assert torch.equal(bass[0, :4], bass[2, :4])
    assert not torch.equal(bass[0, 4:], bass[2, 4:])
    assert not torch.equal(bass[0, :4], bass[3, :4])


def test_a_long_piece_repeats_bars_of_earlier_phrases():
    """Ten bars of phrases of four: bar 9 is bar 0, which is in another phrase."""
    new = [NEW] * 9
    z = bars_of(prior()(1, form([*new, 9], [*new, 9])).rsample())
    assert z.shape == (1, 10, 2, CONFIG.size)
    assert torch.equal(z[:, 9], z[:, 0])
    assert not torch.equal(z[:, 4], z[:, 0])


def test_kept_latents_stand_where_they_are_kept_and_where_they_are_repeated():
    """Bass: A B A', of which bar 1 is kept; bar 3 has its rhythm, bar 4 all of it."""
    one = prior()
    noise = torch.randn(1, one.wires.latent)
    wanted = form([NEW] * 4, [NEW, NEW, NEW, 2], rhythm=[NEW, NEW, 1, 2])
    latents = normalised(torch.randn(1, 4, 2, CONFIG.size), CONFIG.parts)
    mask = torch.zeros(1, 4, 2, 1, dtype=torch.bool)
    mask[:, 1, 1] = True
    free = one.generate([noise], wanted)
    given = one.generate([noise], wanted, KeptLatents(latents, mask))
    assert torch.allclose(given[:, 1, 1], latents[:, 1, 1], atol=1e-4)
    assert torch.allclose(given[:, 3, 1], latents[:, 1, 1], atol=1e-4)
    assert torch.allclose(given[:, 2, 1, :4], latents[:, 1, 1, :4], atol=1e-4)
    assert not torch.allclose(given[:, 2, 1, 4:], latents[:, 1, 1, 4:], atol=1e-2)
    assert torch.equal(given[:, 0], free[:, 0]) and torch.equal(given[:, :, 0], free[:, :, 0])


def test_without_a_form_it_samples_one_of_its_own_density():
    one = prior()
    torch.manual_seed(5)
    z = bars_of(one(3).sample(6))
    torch.manual_seed(5)
    drawn = one.form(3).sample(6)
    assert torch.equal(z.square().sum(3) > 0, drawn[:, 0] != SILENT)


def test_in_jamming_players_share_nothing():
    """The latents of one player's noise reach its own track alone."""
    one = prior("jamming")
    noise = torch.randn(1, one.wires.latent)
    everything_new = torch.zeros(1, 2, 4, 2, dtype=torch.long)
    before = one.generate([noise], everything_new)
    changed = noise.clone()
    changed[:, : CONFIG.latent // 2] += 1  # the first player's constant part
    after = one.generate([changed], everything_new)
    assert not torch.equal(before[:, :, 0], after[:, :, 0])
    assert torch.equal(before[:, :, 1], after[:, :, 1])


def test_temperature_widens_the_constant_parts_of_z():
    """Noise of temperature 3 is three times that of 1 where z is the same in every bar."""
    shared, temporal, own, own_temporal = (2, 2, 4, 4)  # of two players, a quarter of 8 each

    def noise(temperature: float) -> torch.Tensor:
        torch.manual_seed(7)
        return LatentPrior(CONFIG.replace(temperature=temperature), TRACKS, 4)(1).noise(4)[0]

    scale = (noise(3.0) / noise(1.0))[0].split([shared, temporal, own, own_temporal])
    for part, expected in zip(scale, (3.0, 1.0, 3.0, 1.0), strict=True):
        assert torch.allclose(part, torch.full_like(part, expected))
