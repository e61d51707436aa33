"""The tensor types of the theory: every axis named, every range stated.

A domain refines `Samples`, as by `batch rgb height width`. Under test each annotation is
checked at every call.
"""

from jaxtyping import Float, Real
from torch import Tensor

Samples = Real[Tensor, "batch *event"]
"""Visible x (or any other batch): the first axis counts samples, the rest is the event.

Integers where x is a sequence of symbols.
"""

Latents = Float[Tensor, "batch latent"]
"""Latent z, unbounded reals."""

Scores = Float[Tensor, "batch *patch"]
"""A critic's verdict on each sample, or on each of its patches: a logit or an unbounded value;
higher is more like data."""

PatchLosses = Float[Tensor, "batch *patch"]
"""The loss of a game at each score."""

Losses = Float[Tensor, " batch"]
"""One loss per sample, in nats where it is a likelihood, summed over the event's axes."""

Loss = Float[Tensor, ""]
"""A loss of the whole batch: of a divergence that has no value per sample."""

Features = Float[Tensor, "batch *feature"]
"""Activations of a network's hidden layer."""
