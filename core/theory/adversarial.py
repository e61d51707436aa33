"""Adversarial games: comparing two distributions by a critic.

A game is a function `loss(real, fake)` of the critic's scores, which the critic minimises. The
learner's loss follows from it:

    swap      loss(fake, real): the generator's loss of the non-saturating GAN, LSGAN and WGAN
    minimax   -loss(real, fake): the original GAN, and gradient reversal (DANN)
    linear    real - fake: the generator's loss of the hinge game

A critic of patches has a score for each patch of a sample. The game is then played at each patch,
and a sample's loss is the mean over its patches (Isola et al., CVPR 2017, section 3.2.2 and code).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from core.theory.comparison import Comparison
from core.theory.contracts import Augmenter
from core.theory.distributions import sum_events
from core.theory.passes import SAMPLERS, Passes, Point, Space
from core.theory.shapes import Losses, PatchLosses, Scores

Game = Callable[[Scores, Scores], PatchLosses]
Score = Callable[..., Scores]
"""A critic as a function of the tensors of a point."""
Exchange = Callable[[Point], Point]
"""Produced samples -> as many samples that the critic sees in their place."""


@runtime_checkable
class Penalty(Protocol):
    """A regulariser of the critic, one loss per sample."""

    name: ClassVar[str]

    def __call__(self, score: Score, reference: Point, produced: Point) -> Losses: ...


def mean_over_patches(values: PatchLosses) -> Losses:
    """Return the mean over the patches of each sample; values without patches stay as they are.

    >>> mean_over_patches(torch.tensor([[1.0, 3.0], [0.0, 5.0]])).tolist()
    [2.0, 2.5]
    """
    return sum_events(values) / values[0].numel() if values.ndim > 1 else values


def logistic(real: Scores, fake: Scores) -> PatchLosses:
    """-log D(real) - log(1 - D(fake)), D = sigmoid(score). Goodfellow et al., NIPS 2014, eq. 1.

    >>> logistic(torch.zeros(1), torch.zeros(1)).item() == 2 * torch.log(torch.tensor(2.0)).item()
    True
    """
    return F.softplus(-real) + F.softplus(fake)


def least_squares(real: Scores, fake: Scores) -> PatchLosses:
    """((real - 1)^2 + fake^2) / 2. Mao et al., ICCV 2017, eq. 9."""
    return 0.5 * ((real - 1) ** 2 + fake**2)


def wasserstein(real: Scores, fake: Scores) -> PatchLosses:
    """fake - real, for a 1-Lipschitz critic. Arjovsky, Chintala and Bottou, ICML 2017, eq. 2."""
    return fake - real


def hinge(real: Scores, fake: Scores) -> PatchLosses:
    """max(0, 1 - real) + max(0, 1 + fake). Lim and Ye, arXiv 1705.02894.

    Without the paper's penalty of the last layer's norm, that of a support vector machine.
    """
    return F.relu(1 - real) + F.relu(1 + fake)


Play = Literal["swap", "minimax", "linear"]


@dataclass(frozen=True)
class GradientPenalty:
    """weight * (|gradient of the critic| - 1)^2 between reference and produced samples.

    Gulrajani et al., NIPS 2017, algorithm 1: one uniform mixing factor per sample, the norm over
    all axes of the event.
    """

    name: ClassVar[str] = "penalty"

    weight: float = 10.0

    def __call__(self, score: Score, reference: Point, produced: Point) -> Losses:
        mixed = _interpolate(reference, produced)
        return self.weight * (gradient_norm(score, mixed) - 1) ** 2


@dataclass(frozen=True)
class R1:
    """weight / 2 * |gradient of the critic|^2 at the reference. Mescheder et al., ICML 2018."""

    name: ClassVar[str] = "r1"

    weight: float = 1.0

    def __call__(self, score: Score, reference: Point, produced: Point) -> Losses:
        return 0.5 * self.weight * gradient_norm(score, reference) ** 2


def _interpolate(reference: Point, produced: Point) -> Point:
    """Return points between two points, each sample with one factor for its x, z and c."""
    factor = torch.rand(len(reference[0]), device=reference[0].device)
    return tuple(_mix(a, b, factor) for a, b in zip(reference, produced, strict=True))


def _mix(a: Tensor, b: Tensor, factor: Losses) -> Tensor:
    """Return factor * a + (1 - factor) * b; a condition of integers is no mixture: a."""
    if not a.is_floating_point():
        return a
    factor = factor.view(-1, *[1] * (a.ndim - 1))  # [batch *1]
    return factor * a + (1 - factor) * b


def gradient_norm(score: Score, point: Point) -> Losses:
    """Compute the Euclidean norm of the critic's gradient at each sample, in single precision.

    A critic of patches is differentiated as the mean of its scores over the patches: in a
    Wasserstein game it is that mean whose slope bounds the distance.
    """
    numbers = [p.detach() for p in point if p.is_floating_point()]
    inputs = [p.to(torch.promote_types(p.dtype, torch.float32)).requires_grad_() for p in numbers]
    remaining = iter(inputs)
    arguments = [next(remaining) if p.is_floating_point() else p for p in point]
    with torch.autocast(point[0].device.type, enabled=False):
        scores = mean_over_patches(score(*arguments))
        gradients = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    squared = torch.stack([sum_events(g**2) for g in gradients]).sum(0)
    return torch.sqrt(squared + 1e-12)  # the root's gradient is infinite at 0


def mismatch(point: Point) -> tuple[Point, Bool[Tensor, " batch"]]:
    """Return x with the condition of the next sample, and where that differs from its own."""
    x, c = point
    wrong = c.roll(1, 0)
    return (x, wrong), (wrong != c).flatten(1).any(1)  # [batch]


@dataclass(frozen=True)
class Adversarial(Comparison):
    """Match by a game against a critic.

    `critic_steps`: critic updates per learner update. `clip`: bound on the critic's weights after
    each update (the first WGAN), 0 for none. `mismatched`: half of the fake side are data with the
    condition of another sample (Reed et al., ICML 2016, algorithm 1). `label_smoothing`: share of
    the reference that is labelled fake. `reconstructions`: x is also compared with its
    reconstructions, which are fake too (Larsen et al., ICML 2016, algorithm 1). `instance_noise`:
    standard deviation of noise on the critic's inputs. `augment`: whether the critic's inputs are
    augmented. `played`: share of a batch of which the game is played, its first samples: beside a
    likelihood a critic can cost many times as much. `penalised`: share of those on which penalties
    are computed, the first again; a penalty costs about as much as the rest of a critic's step.
    """

    game: Game
    play: Play = "swap"
    critic_steps: int = 1
    penalties: tuple[Penalty, ...] = ()
    clip: float = 0.0
    mismatched: bool = False
    label_smoothing: float = 0.0
    reconstructions: bool = False
    instance_noise: float = 0.0
    augment: bool = False
    played: float = 1.0
    penalised: float = 1.0

    @property
    def formula(self) -> str:
        return self.game.__name__

    def networks(self, space: Space, critic: str) -> tuple[str, ...]:
        """Return the networks that sample the space, and the critic."""
        encoder = ("encoder",) if self.reconstructions else ()
        return (*SAMPLERS[space], *encoder, critic)

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        """Return the learner's loss."""
        passes = self._of_played(passes)
        reference = passes.reference(space)
        real = self._score(passes, critic, reference)
        if not any(samples.requires_grad for samples in reference):
            real = real.detach()  # frees the critic's activations, which no learner needs
        fake = self._score(passes, critic, passes.produced(space))
        loss = self._learner_loss(real, fake)
        if self.reconstructions:
            fake = self._score(passes, critic, (passes.reconstructed_x,))
            loss = loss + self._learner_loss(torch.zeros_like(real), fake)
        return loss

    def _of_played(self, passes: Passes) -> Passes:
        return passes.first(math.ceil(self.played * len(passes.x)))

    def _learner_loss(self, real: Scores, fake: Scores) -> Losses:
        if self.play == "minimax":
            return -mean_over_patches(self.game(real, fake))
        return mean_over_patches(real - fake if self.play == "linear" else self.game(fake, real))

    def critic_loss(
        self, passes: Passes, space: Space, critic: str, pool: Exchange | None = None
    ) -> dict[str, Losses]:
        """Return the critic's loss and its penalties by name; samples carry no gradient.

        `pool`: exchanges produced samples for earlier ones; reconstructions are not exchanged.
        """
        passes = self._of_played(passes)
        with torch.no_grad():
            reference, produced = passes.reference(space), passes.produced(space)
            produced = pool(produced) if pool else produced
        real = self._score(passes, critic, reference)
        losses = {"game": self._smoothed(real, self._score(passes, critic, produced))}
        if self.mismatched:
            wrong, differs = mismatch(reference)
            against_wrong = self._smoothed(real, self._score(passes, critic, wrong))
            losses["game"] = torch.where(
                differs, 0.5 * (losses["game"] + against_wrong), losses["game"]
            )
        if self.reconstructions:
            with torch.no_grad():
                point = (passes.reconstructed_x,)
            fake = self._score(passes, critic, point)
            against_fake = self.game(torch.zeros_like(fake), fake)
            losses["game"] = losses["game"] + mean_over_patches(against_fake)
        few = math.ceil(self.penalised * len(reference[0]))
        points = [tuple(samples[:few] for samples in point) for point in (reference, produced)]
        for penalty in self.penalties:
            losses[penalty.name] = penalty(passes.networks[critic], *points)
        return losses

    def _smoothed(self, real: Scores, fake: Scores) -> Losses:
        """Return the game's loss with one-sided label smoothing (Salimans et al. 2016, 3.4).

        A game is the cost of calling real real plus the cost of calling fake fake. Labelling a
        share of the real samples fake replaces that share of the first cost by the second one, at
        the same scores: a difference of two games against a score of 0, up to a constant.
        """
        losses = self.game(real, fake)
        if self.label_smoothing:
            zero = torch.zeros_like(real)
            moved = self.game(zero, real) - self.game(real, zero)
            losses = losses + self.label_smoothing * moved
        return mean_over_patches(losses)

    def _score(self, passes: Passes, critic: str, point: Point) -> Scores:
        """Return the critic's scores of augmented and noisy inputs."""
        if self.augment:
            point = (passes.network(critic, Augmenter).augment(point[0]), *point[1:])
        if self.instance_noise:
            point = tuple(
                p + self.instance_noise * torch.randn_like(p) if p.is_floating_point() else p
                for p in point
            )
        return passes.score(critic, point)


HINGE = Adversarial(hinge, play="linear")
WGAN = Adversarial(wasserstein, critic_steps=5, clip=0.01)
WGAN_GP = Adversarial(wasserstein, critic_steps=5, penalties=(GradientPenalty(10.0),))

GAMES: dict[str, Adversarial] = {
    "logistic": Adversarial(logistic),
    "minimax": Adversarial(logistic, play="minimax"),
    "least_squares": Adversarial(least_squares),
    "hinge": HINGE,
    "wgan": WGAN,
    "wgan_gp": WGAN_GP,
}
"""The games by name, each as its paper plays it."""
