"""Facts of every distribution of the theory and of the domains, by one list of them all."""

import importlib
import itertools
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from core.densities.closed_form import FullGaussian, MixtureOfGaussians
from core.densities.codebook import (
    CodeDistribution,
    CodePrior,
    TwoLevelCodeDistribution,
    TwoLevelCodePrior,
)
from core.densities.dequantisation import Dequantised, DequantisedDistribution, Levels
from core.densities.flow import FlowDistribution, glow
from core.densities.map_flow import glow_maps, realnvp_maps
from core.densities.sequences import SequenceDensity, SequenceDistribution, wavenet
from core.networks.hierarchy import HierarchicalDelta, HierarchicalGaussian
from core.theory.codes import CodePosterior, CodeSizes, LatentCode
from core.theory.contracts import Invertible
from core.theory.distributions import Bernoulli, Categorical, Delta, Distribution, Gaussian
from musegen.bar_latents.autoencoder import BarDecoder, BarLatentsConfig
from musegen.bar_latents.form import FormDensity, FormDistribution
from musegen.bar_latents.prior import AlongForm, LatentPrior
from musegen.bar_latents.struck_notes import StruckNotes
from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.lookback_rnn import LookbackDensity, LookbackDistribution
from musegen.densities.note_transformer import DensityConfig, NoteDensity, NoteDistribution
from musegen.networks.bar_generators import MuseGANConfig
from musegen.networks.roll_flow import RollFlowDistribution, roll_flow
from musegen.networks.states import GatedNotes, HeldNotes, sustain, to_states
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS
from musegen.voice.networks.tones import Tones
from videogen.networks.config import VideoConfig
from videogen.networks.gist import ClipByGist, Decoder
from videogen.networks.layers import LayeredClip
from videogen.networks.moments import PathOfCodes, PathPrior
from videogen.networks.streams import StreamsDecoder
from videogen.networks.text import TextConfig

BATCH = 3


@dataclass(frozen=True)
class Case:
    """A distribution, built for a batch of samples, and what can be checked of it.

    `support`: all events, for a sum. `step`: the spacing of a square grid over [-9, 9]^n, for a
    quadrature in n numbers. `total`: the sum or integral of exp(log_prob). `mean`: whether the
    expectation has a closed form. `draws`: samples of a Monte Carlo mean. `implicit`: whether it
    can only be sampled, as what a game trains, so that log_prob is refused.
    """

    build: Callable[[int], Distribution]
    support: Callable[[], Tensor] | None = None
    step: float = 0.0
    numbers: int = 0
    total: float = 1.0
    mean: bool = False
    draws: int = 40_000
    implicit: bool = False


def rows(batch: int, *values: float) -> Tensor:
    """The same row of numbers for each sample of a batch."""
    return torch.tensor([values]).expand(batch, -1)


def seeded(module: Callable[[], nn.Module], noise: float = 0.3) -> nn.Module:
    """A module whose weights are perturbed, so that its distribution is far from uniform."""
    torch.manual_seed(4)
    built = module().eval()
    for parameter in built.parameters():
        parameter.data += noise * torch.randn_like(parameter)
    return built


def binary_events(count: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=count)))


def one_hot_sequences(parts: int, symbols: int) -> Tensor:
    rows = torch.tensor(list(itertools.product(range(symbols), repeat=parts)))
    return nn.functional.one_hot(rows, symbols).float()


def hierarchical(batch: int) -> Distribution:
    top = Gaussian(rows(batch, 0.5), rows(batch, -0.2))
    return HierarchicalGaussian(top, lambda z: Gaussian(torch.sin(2 * z), 0.3 * z - 0.5))


def mixture(batch: int) -> Distribution:
    return MixtureOfGaussians(
        batch,
        torch.tensor([1.0, -0.5]),
        torch.tensor([[2.0, -1.0], [-1.5, 0.5]]),
        torch.tensor([[-0.7, 0.1], [-0.2, -0.5]]),
    )


def flow(batch: int) -> Distribution:
    return seeded(lambda: glow(2), noise=0.02)(batch)


def sequences(batch: int) -> Distribution:
    return seeded(lambda: SequenceDensity(4, 3, wavenet))(batch)


def codes(batch: int) -> Distribution:
    return seeded(lambda: CodePrior(4))(batch)


def all_codes() -> Tensor:
    """Every pair of code vectors."""
    codebook = seeded(lambda: CodePrior(4)).get_parameter("codebook").detach()
    pairs = torch.cartesian_prod(torch.arange(len(codebook)), torch.arange(len(codebook)))
    return codebook[pairs].flatten(1)


def two_level_codes(batch: int) -> Distribution:
    return seeded(lambda: TwoLevelCodePrior(8))(batch)


def held(batch: int) -> HeldNotes:
    """Two tracks, the first of which sustains, over two bars of two steps and one pitch."""
    torch.manual_seed(5)
    onset, hold = (
        Bernoulli(1.5 * torch.randn(1, 2, 2, 2, 1).expand(batch, -1, -1, -1, -1)) for _ in range(2)
    )
    return HeldNotes(onset, hold, torch.tensor([1.0, 0.0]))


def legal_rolls() -> Tensor:
    """Every roll of these: 0 silent, 1 hold, 2 onset; a hold follows a sound step."""
    lines = [
        line
        for line in itertools.product((0, 1, 2), repeat=4)
        if all(not (now == 1 and before == 0) for before, now in itertools.pairwise((0, *line)))
    ]
    drums = [line for line in lines if 1 not in line]
    cells = torch.tensor(list(itertools.product(lines, drums)), dtype=torch.uint8)
    return to_states(cells.view(-1, 2, 2, 2, 1))


def gated(batch: int) -> Distribution:
    torch.manual_seed(6)
    plays, uses = torch.randn(1, 2, 2), torch.randn(1, 2, 2, 1)
    harmony = torch.cat([torch.randn(1, 2, 1), torch.full((1, 2, 11), -20.0)], 2)
    return GatedNotes(
        Bernoulli(plays.expand(batch, -1, -1)),
        Bernoulli(uses.expand(batch, -1, -1, -1)),
        held(batch),
        Bernoulli(harmony.expand(batch, -1, -1)),
    )


def notes(batch: int) -> Distribution:
    grid = Grid(steps_per_beat=2, beats_per_bar=2, pitches=12)
    config = DensityConfig(width=16, layers=1, heads=2)
    return seeded(lambda: NoteDensity(config, grid, TRACK_LISTS["lakh"][:2], 1))(batch)


def bytes_of_maps(batch: int) -> Distribution:
    levels = Levels(256, -1.0, 1.0)
    return seeded(lambda: Dequantised(glow_maps((3, 2, 4), width=4), levels), noise=0.1)(batch)


def roll_maps(batch: int) -> Distribution:
    grid = Grid(steps_per_beat=1, beats_per_bar=2, pitches=6)
    tracks = TRACK_LISTS["lakh"][:2]
    config = MuseGANConfig(channels=4)
    return seeded(lambda: roll_flow(config, grid, tracks, 2, realnvp_maps), noise=0.1)(batch)


def looking_back(batch: int) -> Distribution:
    grid = Grid(steps_per_beat=2, beats_per_bar=2, pitches=12)
    config = LookbackConfig(width=16, layers=1, lags=(1, 2))
    return seeded(lambda: LookbackDensity(config, grid, TRACK_LISTS["lakh"][:2], 1))(batch)


def clips(batch: int) -> Distribution:
    config = VideoConfig(
        latent=6, channels=4, critic_channels=4, width=16, text=TextConfig(width=8)
    )
    decoder = seeded(lambda: Decoder(config, 16, 4))
    return decoder(rows(batch, *torch.linspace(-1, 1, 6).tolist()), rows(batch, *[0.25] * 8))


def layered(batch: int) -> Distribution:
    config = VideoConfig(decoder="streams", captions=False, latent=6, channels=4)
    decoder = seeded(lambda: StreamsDecoder(config, 16, 4)).eval()
    return decoder(rows(batch, *torch.linspace(-1, 1, 6).tolist()), None)


def path_of_codes(batch: int) -> Distribution:
    config = VideoConfig(decoder="moments", captions=False, latent=4, motion=2, width=16)
    return seeded(lambda: PathPrior(config, 4))(batch)


def forms(batch: int) -> Distribution:
    return seeded(lambda: FormDensity(1, width=6))(batch, 2)


def every_form() -> Tensor:
    """Every form of two bars of one track: silent, new or repeated bars, rhythms of new ones."""
    bars = [(-1, -1), (-1, 0), (0, -1), (0, 1), (0, 0)]
    found = [(form, form) for form in bars] + [((0, 0), (0, 1))]
    return torch.tensor(found)[..., None]  # [form 2 bar track]


LATENTS = BarLatentsConfig(
    rhythm=2, notes=3, touch=2, channels=8, width=8, latent=4, hidden=8, noise=0.0
)


def along_form(batch: int) -> Distribution:
    return seeded(lambda: LatentPrior(LATENTS, TRACK_LISTS["lakh"][:2], 2))(batch)


def struck(batch: int) -> Distribution:
    grid = Grid(steps_per_beat=1, beats_per_bar=2, pitches=12)
    decoder = seeded(lambda: BarDecoder(LATENTS, grid, TRACK_LISTS["lakh"][:2]))
    return decoder(rows(batch, *torch.linspace(-2, 2, 2 * 2 * LATENTS.size).tolist()))


CODE = CodeSizes(categories=3, continuous=1, noise=2)


def code_posterior(batch: int) -> Distribution:
    continuous = Gaussian(rows(batch, 0.4), rows(batch, -0.2))
    return CodePosterior(Categorical(rows(batch, 0.3, -1.0, 0.8)), continuous, CODE)


def tones(batch: int) -> Tones:
    level, advance = rows(batch, 0.4, -2.0), rows(batch, 0.9, -0.3)
    return Tones(level[:, None], advance[:, None], rows(batch, 3.0, -1.0)[:, None])


CASES: dict[type[Distribution], Case] = {
    Gaussian: Case(
        lambda batch: Gaussian(rows(batch, 1.0, -2.0), rows(batch, -0.5, 0.3)),
        step=0.1,
        numbers=2,
        mean=True,
    ),
    Delta: Case(
        lambda batch: Delta(rows(batch, 1.0, -2.0), std=0.5),
        step=0.1,
        numbers=2,
        total=2 * math.pi * 0.5**2,  # its log_prob leaves the constant of N(point, std^2) out
        mean=True,
    ),
    Bernoulli: Case(
        lambda batch: Bernoulli(rows(batch, 0.3, -1.2, 2.0)),
        support=lambda: binary_events(3),
        mean=True,
    ),
    Categorical: Case(
        lambda batch: Categorical(torch.tensor([[[0.1, 1.0, -2], [0, 3, 1]]]).expand(batch, 2, 3)),
        support=lambda: one_hot_sequences(2, 3),
        mean=True,
    ),
    HierarchicalGaussian: Case(hierarchical, step=0.05, numbers=2),
    HierarchicalDelta: Case(
        lambda batch: HierarchicalDelta(rows(batch, 0.5), lambda z: 2 * z), mean=True
    ),
    MixtureOfGaussians: Case(mixture, step=0.1, numbers=2, mean=True),
    FullGaussian: Case(
        lambda batch: FullGaussian(
            batch, torch.tensor([1.0, -0.5]), torch.tensor([[2.0, 0.9], [0.9, 0.7]])
        ),
        step=0.05,
        numbers=2,
        mean=True,
    ),
    FlowDistribution: Case(flow, step=0.05, numbers=2),
    DequantisedDistribution: Case(bytes_of_maps),
    SequenceDistribution: Case(sequences, support=lambda: one_hot_sequences(4, 3), draws=8_000),
    CodeDistribution: Case(codes, support=all_codes),
    TwoLevelCodeDistribution: Case(two_level_codes),
    LatentCode: Case(lambda batch: LatentCode(CODE, batch, torch.device("cpu"))),
    CodePosterior: Case(code_posterior),
    HeldNotes: Case(held, support=legal_rolls, mean=True),
    GatedNotes: Case(gated, mean=True),
    NoteDistribution: Case(notes),
    RollFlowDistribution: Case(roll_maps),
    LookbackDistribution: Case(looking_back),
    ClipByGist: Case(clips, mean=True, draws=2),
    LayeredClip: Case(layered, mean=True, draws=2),
    PathOfCodes: Case(path_of_codes, implicit=True),
    FormDistribution: Case(forms, support=every_form, draws=8_000),
    AlongForm: Case(along_form, implicit=True),
    StruckNotes: Case(struck),
    Tones: Case(tones),
}


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))


def test_the_list_holds_every_distribution():
    for package in ("core", "musegen", "videogen"):
        home = importlib.import_module(package)
        for module in pkgutil.walk_packages(home.__path__, f"{package}."):
            importlib.import_module(module.name)
    ours = {
        kind
        for kind in subclasses(Distribution) - {Distribution}
        if kind.__module__.split(".")[0] in ("core", "musegen", "videogen")
    }
    assert ours == set(CASES)


every = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


@every
def test_samples_share_a_form_and_have_a_likelihood(kind: type[Distribution]):
    torch.manual_seed(1)
    distribution = CASES[kind].build(BATCH)
    assert isinstance(distribution, kind)
    sample = distribution.rsample()
    assert len(sample) == BATCH
    if CASES[kind].implicit:
        with pytest.raises(NotImplementedError):
            distribution.log_prob(sample)
    else:
        log_prob = distribution.log_prob(sample)
        assert log_prob.shape == (BATCH,)
        assert log_prob.isfinite().all()
    representative = distribution.representative
    assert (len(representative), representative.shape[2:]) == (BATCH, sample.shape[2:])
    is_ragged = not sample.is_floating_point()  # notes, as many as the longest sample has
    assert is_ragged or representative.shape == sample.shape


@every
def test_the_representative_is_the_same_at_every_call_and_likely(kind: type[Distribution]):
    """It does not depend on the global random state, and leaves it as it was."""
    distribution = CASES[kind].build(BATCH)
    torch.manual_seed(1)
    first = distribution.representative
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))
    assert torch.equal(distribution.representative, first)
    if not CASES[kind].implicit:
        assert distribution.log_prob(first.detach()).isfinite().all()


@pytest.mark.parametrize(
    "kind", [k for k, case in CASES.items() if case.support], ids=lambda kind: kind.__name__
)
@torch.no_grad()
def test_the_probabilities_of_all_events_sum_to_1(kind: type[Distribution]):
    case = CASES[kind]
    assert case.support is not None
    events = case.support()
    log_prob = case.build(len(events)).log_prob(events).double()
    assert log_prob.exp().sum().item() == pytest.approx(case.total, rel=1e-4)
    assert log_prob.exp().max() < 0.9  # not of a single event


@pytest.mark.parametrize(
    "kind", [k for k, case in CASES.items() if case.step], ids=lambda kind: kind.__name__
)
@torch.no_grad()
def test_the_density_integrates_to_its_constant(kind: type[Distribution]):
    case = CASES[kind]
    line = torch.arange(-9, 9, case.step)
    points = torch.cartesian_prod(*[line] * case.numbers)
    log_prob = case.build(len(points)).log_prob(points).double()
    integral = log_prob.exp().sum().item() * case.step**case.numbers
    assert integral == pytest.approx(case.total, rel=5e-3)


@pytest.mark.parametrize(
    "kind", [k for k, case in CASES.items() if case.mean], ids=lambda kind: kind.__name__
)
@torch.no_grad()
def test_the_mean_is_the_expectation(kind: type[Distribution]):
    """Each number within five standard errors of the mean of many samples."""
    case = CASES[kind]
    torch.manual_seed(2)
    distribution = case.build(case.draws)
    samples = distribution.rsample()
    error = samples.std(0) / math.sqrt(case.draws)
    mean = distribution.mean  # type: ignore[attr-defined]  # only of some
    assert ((samples.mean(0) - mean[0]).abs() <= 5 * error + 1e-6).all()


def test_no_other_distribution_promises_a_mean():
    promised = {kind for kind in CASES if hasattr(kind, "mean")}
    assert promised == {kind for kind, case in CASES.items() if case.mean}


@torch.no_grad()
def test_the_bound_of_gated_notes_sums_to_the_share_of_rolls_that_show_all_their_gates():
    """Its likelihood counts an open gate only with a note behind it: a lower bound of log p(x)."""
    rolls = legal_rolls()
    total = gated(len(rolls)).log_prob(rolls).exp().sum().item()
    torch.manual_seed(2)
    one = gated(40_000)
    assert isinstance(one, GatedNotes)
    assert one.harmony is not None
    plays, uses, harmony = (gate.rsample() for gate in (one.plays, one.uses, one.harmony))
    uses, harmony = uses[..., 0], harmony[:, :, 0]  # [batch track bar] and [batch bar]
    open_classes = torch.stack([harmony, torch.ones_like(harmony)], 1)  # drums have no pitch class
    gate = (plays * uses * open_classes)[..., None, None]  # [batch track bar 1 1]
    onset, hold = one.notes.onset.rsample() * gate, one.notes.hold.rsample() * gate
    sound = sustain(onset, hold * one.notes.sustained)[..., 0].amax(3)  # [batch track bar]
    shown = (plays == sound) & ((uses == sound) | (sound == 0))
    frequency = (shown.flatten(1).all(1) & (harmony == sound[:, 0]).all(1)).float().mean().item()
    assert total == pytest.approx(frequency, abs=5 * math.sqrt(total / 40_000))


@pytest.mark.parametrize(
    "kind", [k for k in CASES if hasattr(k, "to_noise")], ids=lambda kind: kind.__name__
)
@torch.no_grad()
def test_a_sample_follows_from_its_noise_and_noise_from_the_sample(kind: type[Distribution]):
    distribution = CASES[kind].build(BATCH)
    assert isinstance(distribution, Invertible)
    noise = torch.randn_like(distribution.representative)
    sample = distribution.from_noise(noise)
    assert not torch.allclose(sample, noise, atol=0.1)
    torch.testing.assert_close(distribution.to_noise(sample), noise, atol=1e-4, rtol=0)


@every
def test_samples_are_as_frequent_as_they_are_likely(kind: type[Distribution]):
    """Compare the frequencies of many samples with exp(log_prob) on a small support."""
    case = CASES[kind]
    if case.support is None or kind is CodeDistribution:
        return
    torch.manual_seed(3)
    events = case.support()
    with torch.no_grad():
        samples = case.build(case.draws).rsample().flatten(1)
        probability = case.build(len(events)).log_prob(events).exp()
    for event in probability.argsort(descending=True)[:5].tolist():
        frequency = (samples == events[event].flatten()).all(1).float().mean().item()
        p = probability[event].item()
        assert frequency == pytest.approx(p, abs=5 * math.sqrt(p / case.draws))
