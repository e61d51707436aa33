"""The wirings of z."""

import pytest
import torch

from musegen.networks.wirings import TemporalGenerator, Wires, latent_sizes


@pytest.mark.parametrize("wiring", ["composer", "jamming", "hybrid"])
@pytest.mark.parametrize("size", [128, 11])
def test_a_players_latents_add_up_to_its_size(wiring, size):
    assert sum(latent_sizes(wiring, size).parts(players=1)) == size


def test_the_papers_hybrid_has_384_latents_for_five_tracks():
    sizes = latent_sizes("hybrid", 128)
    assert sizes.parts(players=5) == [32, 32, 160, 160]
    assert Wires(sizes, players=5, bars=4, width=8).latent == 384


@pytest.mark.parametrize("bars", [1, 2, 3, 4, 7, 16])
def test_one_latent_becomes_one_for_each_bar(bars):
    assert TemporalGenerator(6, bars, 8)(torch.randn(3, 6)).shape == (3, bars, 6)


def reached(wiring: str, part: int) -> torch.Tensor:
    """Return the [player bar] that change when a part of the flat z does."""
    torch.manual_seed(3)
    sizes = latent_sizes(wiring, 12)  # type: ignore[arg-type]
    wires = Wires(sizes, players=2, bars=3, width=16)
    parts = list(torch.randn(1, wires.latent).split(sizes.parts(2), 1))
    before = wires(torch.cat(parts, 1))
    parts[part] = parts[part] + torch.nn.functional.one_hot(
        torch.tensor([0]), parts[part].shape[1]
    )
    return (wires(torch.cat(parts, 1)) != before).any(3)[0]


@pytest.mark.parametrize(("part", "players"), [(0, [1, 1]), (1, [1, 1]), (2, [1, 0]), (3, [1, 0])])
def test_shared_parts_reach_every_player_and_private_parts_one(part, players):
    assert reached("hybrid", part).any(1).tolist() == [bool(p) for p in players]


def test_only_the_temporal_parts_change_from_bar_to_bar():
    sizes = latent_sizes("hybrid", 12)
    bars = Wires(sizes, players=2, bars=3, width=16)(torch.randn(5, 18))
    same = (bars[:, :, :1] == bars).all(0).all(0).all(0)
    assert same.tolist() == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3


def test_the_next_phrase_keeps_the_constant_parts_and_takes_fresh_temporal_ones():
    wires = Wires(latent_sizes("hybrid", 8), players=2, bars=3, width=4)
    z, fresh = torch.zeros(1, 12), torch.ones(1, 12)
    assert wires.next_phrase(z, fresh)[0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
