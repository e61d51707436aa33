"""The terms of the gist on hand-made networks."""

import pytest
import torch
from torch import nn

from core.errors import UserError
from core.networks.heads import StandardNormal
from core.theory.adversarial import R1
from core.theory.distributions import Delta
from core.theory.passes import Batch, Networks, Passes
from core.training.step import game
from videogen.recipes import RECIPES
from videogen.terms import (
    Coherence,
    KeepPyramid,
    MatchSharpness,
    ReconstructEdges,
    ReconstructGist,
    ReconstructPyramid,
    ReconstructSharpness,
)

X = torch.tensor([[1.0], [-2.0], [0.25]])


class Halving(nn.Module):
    def forward(self, x, c=None):
        return Delta(0.5 * x + 0.1)


class TwoGists(Delta):
    """A clip of two equal gists, whose background is half the gist."""

    def __init__(self, gist):
        super().__init__(torch.cat([gist, gist], 1))
        self.gist, self.background = Delta(gist, std=0.5), gist / 2


class GistFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, z, c=None):
        return TwoGists(self.scale * z)

    def gist_of(self, x):
        return x[:, :1]


def test_a_gist_is_reconstructed_by_what_is_drawn_first():
    parts = Networks({"encoder": Halving(), "prior": StandardNormal(1), "decoder": GistFirst()})
    passes = Passes(parts, Batch(X))
    expected = 0.5 * ((X - 3 * passes.posterior_sample) / 0.5) ** 2
    torch.testing.assert_close(ReconstructGist()(passes), expected.squeeze(-1))


def test_coherence_moves_what_is_still_and_not_the_gist():
    parts = Networks({"decoder": GistFirst(), "prior": StandardNormal(1)})
    passes = Passes(parts, Batch(X))
    loss = Coherence()(passes)
    torch.testing.assert_close(loss, (3 * passes.prior_sample).abs().squeeze(-1) / 2)
    (gradient,) = torch.autograd.grad(loss.sum(), list(parts["decoder"].parameters()))
    still_below = -passes.prior_sample.abs() / 2  # half of 3 z is nearer to 3 z where it grows
    torch.testing.assert_close(gradient, still_below.sum())


def test_edges_are_compared_by_their_size_and_not_their_sign():
    """From row to row 1 and 2 of data, 2 and 4 drawn; from column to column 3 and 0, 2 and 0."""
    passes = Passes(Networks(), Batch(torch.tensor([[[0.0, 3.0], [1.0, 1.0]]])))
    passes.__dict__["reconstruction"] = Delta(torch.tensor([[[0.0, -2.0], [2.0, 2.0]]]))
    assert ReconstructEdges()(passes).tolist() == [0.5 * (1 + 4 + 1)]


def pyramid_of(errors):
    """Return the loss of clips that differ from their data by errors [batch rgb time ...]."""
    passes = Passes(Networks(), Batch(errors))
    passes.__dict__["reconstruction"] = Delta(torch.zeros_like(errors))
    return ReconstructPyramid()(passes).tolist()


def test_a_pixel_counts_less_in_larger_squares_and_a_whole_picture_more():
    """A pixel of 2: half of 2² 8 / 4² in squares of 2, half of that in those of 4, and so on.

    A third in all: half of 16 x 16 pixels times each side, 2 + 4 + 8 + 16.
    """
    errors = torch.zeros(2, 1, 2, 16, 16)
    errors[0, 0, 1, 5, 9] = 2.0
    errors[1, 0, 0] = 1 / 3
    pixel, whole = pyramid_of(errors)
    assert pixel == pytest.approx(1 + 1 / 2 + 1 / 4 + 1 / 8)
    assert whole == pytest.approx(0.5 * 16 * 16 * 30 / 9)


def test_a_shape_off_its_place_costs_by_the_squares_that_it_leaves():
    """Over the middle of 16 x 16 pixels it leaves its square in all levels but one."""
    errors = torch.zeros(2, 3, 1, 16, 16)
    errors[0, 1, 0, 3, 4:6] = torch.tensor([1.0, -1.0])
    errors[1, 1, 0, 3, 7:9] = torch.tensor([1.0, -1.0])
    inside, across = pyramid_of(errors)
    assert inside == 0
    assert across == pytest.approx(2 * 0.5 * (1 / 2 + 1 / 4 + 1 / 8))


def sharpness_of(x, drawn):
    """Return the loss of pictures [row column], and the gradient at what is drawn."""
    drawn = drawn.clone().requires_grad_()
    passes = Passes(Networks(), Batch(x[None]))
    passes.__dict__["reconstruction"] = Delta(drawn[None])
    (loss,) = ReconstructSharpness()(passes)
    return loss.item(), torch.autograd.grad(loss, drawn)[0]


def step(rows, height):
    """Return a picture of 5 x 5 pixels: 0 in so many rows, then `height`."""
    return torch.cat([torch.zeros(rows, 5), torch.full((5 - rows, 5), height)])


def test_sharpness_is_compared_patch_by_patch():
    """A step of 3 in one of four rows has a root mean square of 1.5, one of -1 has 0.5.

    Two patches, one over the first four columns and one over the last three, count 4 pixels each.
    """
    loss, _ = sharpness_of(step(2, 3.0), step(1, -1.0))
    assert loss == pytest.approx(0.5 * 4 * 2 * (1.5 - 0.5) ** 2, rel=0.02)
    loss, _ = sharpness_of(step(2, 3.0).T, step(1, -1.0).T)
    assert loss == pytest.approx(4.0, rel=0.02)


def test_an_edge_costs_nothing_elsewhere_in_its_patch_and_something_if_it_is_missing():
    assert sharpness_of(step(2, 3.0), step(3, -3.0))[0] == pytest.approx(0, abs=1e-9)
    loss, gradient = sharpness_of(step(2, 3.0), step(2, 0.0))
    assert loss == pytest.approx(0.5 * 4 * 2 * 1.5**2, rel=0.05)
    assert gradient.isfinite().all()


def match_of(x, drawn, group=None):
    """Return the loss of clips [batch rgb time row column], by row and by column, and others."""
    passes = Passes(Networks(), Batch(x, group=None if group is None else torch.tensor(group)))
    passes.__dict__["generation"] = Delta(drawn)
    return MatchSharpness()(passes).item()


def clips_of(*heights):
    """Return clips of one colour and frame, with a step of each height after two rows."""
    return torch.stack([step(2, height) for height in heights])[:, None, None]  # [clip 1 1 5 5]


def test_sharpness_is_matched_as_often_and_not_clip_by_clip():
    """Steps of 1 and 5 have root mean squares of 0.5 and 2.5, of which the greatest are compared
    with the greatest; a clip counts two patches of 4 pixels."""
    assert match_of(clips_of(1.0, 5.0), clips_of(-5.0, 1.0)) == pytest.approx(0, abs=1e-9)
    loss = match_of(clips_of(1.0, 5.0), clips_of(7.0, 1.0))
    assert loss == pytest.approx(0.5 * 4 * 2 * (3.5 - 2.5) ** 2 / 2, rel=0.02)
    loss = match_of(clips_of(1.0, 5.0).mT, clips_of(7.0, 1.0).mT)
    assert loss == pytest.approx(4 / 2, rel=0.02)


def test_frames_of_a_batch_are_compared_together_and_places_and_colours_apart():
    both = clips_of(1.0, 5.0)
    as_frames = both.movedim(0, 2)  # [1 rgb time row column]
    assert match_of(as_frames, as_frames.flip(2)) == pytest.approx(0, abs=1e-9)
    as_colours = both.movedim(0, 1)
    assert match_of(as_colours, as_colours.flip(1)) == pytest.approx(
        2 * 0.5 * 4 * 2 * (2.5 - 0.5) ** 2, rel=0.02
    )
    left = torch.zeros(1, 1, 1, 5, 9)
    left[..., 2:, :4] = 3.0
    assert match_of(left, left.flip(-1)) > 10


def test_sharpness_is_matched_within_groups():
    """In two clips of two frames steps of 1 and 5 are compared with those of 1 and 3, not with
    the other clip's, if each is a group."""
    real = clips_of(5.0, 1.0, 3.0, 7.0).reshape(2, 1, 2, 5, 5)
    drawn = clips_of(1.0, 3.0, 7.0, 5.0).reshape(2, 1, 2, 5, 5)
    assert match_of(real, drawn) == pytest.approx(0, abs=1e-9)
    assert match_of(real, drawn, [4, 4]) == pytest.approx(0, abs=1e-9)
    assert match_of(real, drawn, [9, 2]) == pytest.approx(2 * 0.5 * 4 * 2 / 2, rel=0.02)
    assert match_of(real, real.flip(2), [9, 2]) == pytest.approx(0, abs=1e-9)


class Times(nn.Module):
    """A decoder that multiplies z, which is 1 everywhere, by its weight."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, z, c=None):
        return Delta(self.weight * torch.ones(len(z), 1, 1, 2, 2))


def test_what_is_generated_keeps_to_the_teachers():
    """A difference of 3 in all of 2 x 2 pixels: squares of 2, 4, 8 and 16 are cut to them."""
    decoder, teacher = Times(5.0), Times(2.0)
    networks = Networks({"decoder": decoder, "teacher": teacher, "prior": StandardNormal(1)})
    passes = Passes(networks, Batch(torch.zeros(3, 1, 1, 2, 2)))
    loss = KeepPyramid()(passes)
    assert loss.tolist() == pyramid_of(torch.full((3, 1, 1, 2, 2), 3.0)) and loss[0] > 0
    loss.sum().backward()
    assert decoder.weight.grad is not None and decoder.weight.grad > 0
    assert teacher.weight.grad is None


def test_a_decoder_without_a_gist_is_refused_by_name():
    parts = Networks({"decoder": Halving(), "prior": StandardNormal(1)})
    with pytest.raises(UserError, match="Delta does not fulfil LayeredDistribution"):
        Coherence()(Passes(parts, Batch(X)))


def test_the_recipes_of_video_name_what_they_need_and_train():
    needs = {name: set(RECIPES[name].needs) for name in ("text_to_video", "gist", "gist_gan")}
    assert needs == {
        "text_to_video": {"condition", "gist"},
        "gist": {"gist"},
        "gist_gan": {"condition", "gist"},
    }
    trains = {t.name: set(t.trains) for t in RECIPES["text_to_video"].conditional().terms}
    assert trains == {
        "reconstruct_gist": {"encoder", "decoder", "condition"},
        "match_z": {"encoder", "condition", "prior"},
        "match_xc": {"decoder", "condition"},
        "coherence": {"decoder", "condition"},
    }
    sharp = RECIPES["gist_flow_sharp"].conditional().terms[-1]
    assert (sharp.name, set(sharp.trains)) == ("reconstruct_sharpness", {"decoder", "condition"})


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("text_to_video", [3e-4, 3e-4, 1, 1]),
        ("gist", [1, 1, 1]),
        ("gist_flow", [1, 1, 1]),
        ("gist_gan", [1, 1, 1, 10]),
        ("gist_flow_gan", [1, 1, 1, 10, 10]),
        ("gist_flow_edges", [1, 1, 1, 10]),
        ("gist_flow_sharp", [1, 1, 1, 1, 20]),
        ("gist_flow_patches", [1, 1, 1, 10]),
        ("tfgan", [1, 1]),
        ("tfgan_vae", [1, 1, 10, 10]),
        ("vgan", [1, 0.1]),
        ("latent_tfgan", [1, 1, 10]),
    ],
)
def test_the_terms_of_a_model_have_the_weights_that_were_measured(name: str, weights: list[float]):
    assert [term.weight for term in RECIPES[name].terms] == weights


def test_games_beside_a_likelihood_are_played_on_a_part_of_each_batch():
    names = ("text_to_video", "tfgan", "gist_gan", "gist_flow_gan", "tfgan_vae")
    played = {name: {game(term).played for term in RECIPES[name].critics} for name in names}
    alone, beside = {"text_to_video": {1.0}, "tfgan": {1.0}}, {"gist_gan": {0.5}}
    assert played == alone | beside | {"gist_flow_gan": {0.25}, "tfgan_vae": {0.25}}


def test_the_games_of_tfgan_have_one_penalty_for_16_frames_and_for_the_clip():
    """The frames' score is a mean over 16 of them, whose slope is a sixteenth for each."""
    for name in ("tfgan", "gist_flow_gan"):
        frames, clips = (game(term) for term in RECIPES[name].critics)
        assert (frames.penalties, clips.penalties) == ((R1(16.0),), (R1(1.0),))
