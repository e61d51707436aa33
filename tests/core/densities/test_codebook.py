"""Codes: the stop-gradient formula, probabilities that sum to 1, use and disuse of rows."""

import math

import pytest
import torch
from torch import nn

from core.densities import codebook
from core.densities.codebook import CodePrior, perplexity, two_tables
from core.recipes import RECIPES
from core.ring import domain as ring
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks
from core.training.step import Optimisation, TrainState, learner_step, step

X = torch.tensor([[0.3, -1.2], [2.0, 0.4], [-0.7, 0.9]])


class Linear(nn.Module):
    """Encoder and decoder: a matrix."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0.5], [-0.3, 0.8]]))

    def forward(self, value: torch.Tensor, c: torch.Tensor | None = None) -> Delta:
        return Delta(value @ self.weight)


@pytest.fixture(autouse=True)
def three_codes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codebook, "CODES", 3)


def prior(latent: int = 2, tables: int = 1, condition: int = 0) -> CodePrior:
    torch.manual_seed(0)
    made = CodePrior(latent, condition, tables)
    made.begun.fill_(1)
    return made.eval()


def test_the_gradients_are_those_of_the_stop_gradient_formula():
    """|x - d(z + sg(e - z))|^2 / 2 + |sg(z) - e|^2 + 0.25 |z - sg(e)|^2, van den Oord, eq. 3."""
    networks = Networks({"encoder": Linear(), "decoder": Linear(), "prior": prior()})
    recipe = RECIPES["vq_vae"]
    still = Optimisation(learning_rate=1e-12)
    state = TrainState(networks, recipe, still, still)
    encoder, decoder = (
        networks[n].get_parameter("weight").detach().clone().requires_grad_()
        for n in ("encoder", "decoder")
    )
    tables = networks["prior"].get_parameter("tables").detach().clone().requires_grad_()
    learner_step(state, Batch(X))
    z = X @ encoder
    places = z.unflatten(1, (2, 1))
    rows = (places[:, :, None] - tables[0]).squeeze(-1).abs().argmin(2)
    e = tables[0][rows].flatten(1)
    again = (z + (e - z).detach()) @ decoder
    loss = 0.5 * (X - again).square().sum(1)
    loss = loss + (z.detach() - e).square().sum(1) + 0.25 * (z - e.detach()).square().sum(1)
    wanted = torch.autograd.grad(loss.mean(), [encoder, decoder, tables])
    ours = [
        networks["encoder"].get_parameter("weight").grad,
        networks["decoder"].get_parameter("weight").grad,
        networks["prior"].get_parameter("tables").grad,
    ]
    for mine, textbook in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, textbook)


def test_the_likelihood_of_codes_moves_neither_tables_nor_encoder():
    networks = Networks({"encoder": Linear(), "prior": prior()})
    passes = RECIPES["vq_vae"].passes(networks, Batch(X))
    term = RECIPES["vq_vae"].terms[-1]
    gradients = torch.autograd.grad(
        term(passes).sum(),
        [
            networks["encoder"].get_parameter("weight"),
            networks["prior"].get_parameter("tables"),
            networks["prior"].get_parameter("out.weight"),
        ],
        allow_unused=True,
    )
    assert gradients[0] is None
    assert gradients[1] is None
    assert gradients[2] is not None and gradients[2].abs().sum() > 0


@pytest.mark.parametrize(("latent", "tables"), [(2, 1), (12, 1), (12, 2)])
def test_probabilities_of_all_that_can_be_written_sum_to_1(latent: int, tables: int):
    made = prior(latent, tables, condition=2)
    every = torch.cartesian_prod(*[torch.arange(3)] * made.places)
    z = made.written(every).flatten(1)
    assert torch.equal(made.nearest_rows(made.cut(z)), every)
    c = torch.tensor([[0.5, -1.0]]).expand(len(z), -1)
    assert made(len(z), c).log_prob(z).exp().sum().item() == pytest.approx(1, abs=1e-5)
    other = made(len(z), -c).log_prob(z)
    assert not torch.allclose(other, made(len(z), c).log_prob(z))


def test_draws_have_their_probabilities():
    made = prior(2)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    with torch.no_grad():
        made.out.weight.mul_(4)
        share = made(9).log_prob(made.written(every).flatten(1)).exp()
        torch.manual_seed(1)
        drawn = made.nearest_rows(made.cut(made(20_000).rsample()))
    counted = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / 20_000
    torch.testing.assert_close(counted, share, atol=0.012, rtol=0)


def test_the_coarse_half_has_a_table_of_its_own():
    made = two_tables(16)
    assert made.places == 4
    assert made.table_of.tolist() == [0, 0, 1, 1]


def test_rows_out_of_use_begin_anew_among_what_is_encoded():
    made = prior().train()
    with torch.no_grad():
        made.tables.copy_(torch.tensor([[[0.0], [1.0], [50.0]]]))
    z = torch.tensor([[0.1, 0.9], [0.2, 1.1]])
    for _ in range(400):
        made(2).nearest(z)
    assert made.tables.max() < 2
    assert (made.use >= codebook.LEAST_USE).all()


def test_the_first_batch_fills_the_tables():
    torch.manual_seed(0)
    made = CodePrior(2)
    places = torch.tensor([[5.0, 6.0], [7.0, 8.0]])
    written = made(2).nearest(places)
    assert set(made.tables.flatten().tolist()) <= {5.0, 6.0, 7.0, 8.0}
    assert made.begun == 1
    assert written.shape == places.shape


def test_perplexity_counts_rows_in_use():
    assert perplexity(torch.tensor([2.0, 2, 2, 2])) == pytest.approx(4)
    assert perplexity(torch.tensor([0.0, 9, 0, 0])) == pytest.approx(1)
    assert perplexity(torch.tensor([3.0, 1, 0, 0])) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )


@pytest.mark.parametrize(("name", "tables"), [("vq_vae", 1), ("vq_vae_2", 2)])
def test_training_tells_how_many_rows_are_in_use(name: str, tables: int):
    torch.manual_seed(0)
    recipe = RECIPES[name]
    state = TrainState(ring.networks(recipe), recipe, Optimisation(), Optimisation())
    logged = step(state, ring.batches(recipe), 0, seed=0)
    told = [logged[f"prior_perplexity_{n + 1}"] for n in range(tables)]
    assert all(1 <= rows <= codebook.CODES for rows in told)
    assert f"prior_perplexity_{tables + 1}" not in logged
