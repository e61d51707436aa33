"""Networks and recipes of points on a device of their own."""

from pathlib import Path

import pytest
import torch
from on_a_device import NONE, Waits, require_runs_on_a_gpu, require_trains_on_a_device
from pretended import Mixed, Wide, copies, pretended_device, reads

from core.ring.benchmark import on_the_ring
from core.ring.data import DrawnRing
from core.ring.eight_gaussians import EDGE, LEVELS, from_symbols, to_symbols
from core.ring.model import DOMAIN


def test_the_pretended_device_refuses_tensors_of_the_processor():
    with pretended_device() as device:
        there, here = torch.ones(2, device=device), torch.ones(2)
        with pytest.raises(Mixed, match=r"add.Tensor: \[\(2,\)\] on the processor"):
            _ = there + here
        assert (there + here.to(device) + 1).sum().item() == 6
        assert (there + torch.tensor(2.0)).cpu().tolist() == [3, 3]
        with pytest.raises(Mixed, match=r"\(\)"):
            torch.stack([there.sum(), torch.tensor(2.0)])


def test_the_pretended_device_has_no_real_numbers_of_64_bits():
    with pretended_device() as device:
        there = torch.ones(2, device=device)
        with pytest.raises(Wide):
            there.double()
        with pytest.raises(Wide):
            torch.arange(2, dtype=torch.float64, device=device)
        assert (there.long() + 1).cpu().double().tolist() == [2, 2]


MORE = {"gaussian_mixture": Waits(reads=1, copies=1)}
"""Its step of EM is taken before the update, so it asks whether x is finite, and whether it is the
first; and a network without gradients has their norm, 0, on the processor."""


STABILISERS = (
    "feature_matching=0.5",
    "minibatch_discrimination=2",
    "historical_averaging=3.0",
    "label_smoothing=0.2",
    "spectral_norm=true",
    "instance_noise=0.2",
    "r1=2.0",
    "gradient_penalty=1.0",
    "clip=0.02",
    "augment=true",
    "pool=2",
)


def test_what_makes_the_processor_wait_is_counted():
    with pretended_device() as device:
        x = torch.arange(6, device=device)
        before = reads()
        for read in (lambda: x.max().item(), lambda: x.cpu(), lambda: x[x > 2], x.nonzero):
            read()
            assert reads() == before + 1
            before = reads()
        _ = x[torch.tensor([1, 2], device=device)].where(x[:2] > 0, 0).sum() + 1
        assert reads() == before


def test_what_is_copied_to_the_device_is_counted_apart():
    with pretended_device() as device:
        here, there = torch.arange(2), torch.zeros(2, dtype=torch.long, device=device)
        for copy in (lambda: here.to(device), lambda: there.copy_(here), lambda: there[here]):
            before = reads(), copies()
            copy()
            assert (reads(), copies()) == (before[0], before[1] + 1)
        before = reads(), copies()
        _ = there.half() + there.copy_(there) + torch.ones(2, device=device)
        _ = here.to(device, non_blocking=True)
        assert (reads(), copies()) == before


def test_points_as_symbols_stay_on_the_device():
    with pretended_device() as device:
        x = torch.tensor([[0.1, -2.9], [1.4, 2.0]]).to(device)
        back = from_symbols(to_symbols(x))
        assert back.device == x.device
        assert (back - x).abs().max().item() <= 2 * EDGE / 2**LEVELS


@pytest.mark.parametrize("name", ["wgan_gp", "vq_vae", "glow", "gaussian_mixture"])
def test_a_step_on_a_device_is_the_same(name: str):
    require_trains_on_a_device(DOMAIN, DrawnRing(), name, more=MORE.get(name, NONE))


@pytest.mark.parametrize("stabiliser", STABILISERS)
def test_a_step_with_a_stabiliser_on_a_device_is_the_same(stabiliser: str):
    """The places of a pool are a list, of whose numbers torch makes none on `meta`, and which is
    copied twice."""
    settings, pools = [f"model.stabilisers.{stabiliser}"], stabiliser.startswith("pool")
    require_trains_on_a_device(
        DOMAIN, DrawnRing(), "gan", equal=not pools, more=Waits(0, 2 * pools), settings=settings
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", on_the_ring())
def test_each_recipe_trains_on_a_device(name: str):
    other = DrawnRing("small") if DOMAIN.recipes[name].other else None
    require_trains_on_a_device(DOMAIN, DrawnRing(), name, other, more=MORE.get(name, NONE))


@pytest.mark.gpu
@pytest.mark.parametrize("name", on_the_ring())
def test_each_recipe_runs_on_a_gpu(name: str, tmp_path: Path):
    other = DrawnRing("small") if DOMAIN.recipes[name].other else None
    require_runs_on_a_gpu(DOMAIN, DrawnRing(), name, tmp_path / "run", other)
