"""Chains, loops, captions that change: decoders of two pixels, and the shipped model."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.errors import ConfigError, UserError
from core.networks.heads import StandardNormal
from core.theory.contracts import require
from core.theory.distributions import Delta
from videogen import continuation
from videogen.continuation import Continuation, Timing, pendulum
from videogen.files.clip import to_frames
from videogen.model import Model
from videogen.networks.gist import Decoder
from videogen.rendering.loop import steps_of
from videogen.shapes.grammar import CAPTIONS, Shape

C = torch.zeros(3, 2)
"""Nothing said, of three clips."""


class TwoPixels(Decoder):
    """Clips of 16 frames of two grey pixels, a function of z [batch 1], c [batch 2] and time."""

    def __init__(self, pixels: Callable[[Tensor, Tensor, Tensor], Tensor]):
        nn.Module.__init__(self)
        self.frames, self.pixels = 16, pixels

    def forward(self, z, c, times=None):  # type: ignore[override]
        levels = self.pixels(z, c, require(times, Tensor))  # [batch time pixel]
        return Delta(levels[:, None, :, None].expand(-1, 3, -1, -1, -1))


def turning(z: Tensor, c: Tensor, times: Tensor) -> Tensor:
    """A hand that turns in 7 frames, from the angle z: two clips are 28 frames, four turns."""
    angle = z + 2 * math.pi / 7 * times
    return torch.stack([angle.cos(), angle.sin()], 2)


def crossing(z: Tensor, c: Tensor, times: Tensor) -> Tensor:
    """Two pixels that get brighter and brighter."""
    return (z + 0.1 * times)[..., None].expand(-1, -1, 2)


def saying(z: Tensor, c: Tensor, times: Tensor) -> Tensor:
    return c[:, None].expand(-1, len(times), -1)


def hurrying(z: Tensor, c: Tensor, times: Tensor) -> Tensor:
    """A hand that turns in about 7.5 frames: its angle, and how fast it is, are latents."""
    angle = z[:, :1] + (2 * math.pi / 7.5 + z[:, 1:] / 15) * times
    return torch.stack([angle.cos(), angle.sin()], 2)


def drawn(pixels: Callable[[Tensor, Tensor, Tensor], Tensor], latents: int = 1) -> Continuation:
    prior = StandardNormal(latents)
    return Continuation(TwoPixels(pixels), prior, lambda count, c: prior(count, c).rsample())


def test_a_clip_goes_on_where_the_one_before_it_ends():
    """Through two clips a tenth of brightness in five frames, from the given one on."""
    times, start = torch.arange(28.0), torch.tensor([0.1, -0.3, 0.0])
    brighter = drawn(lambda z, c, times: crossing(z, c, times / 5))
    given = start[:, None, None, None, None].expand(-1, 3, 1, 1, 2)
    with torch.no_grad():
        clips = brighter.clips(3, [C], times, given)
    expected = start[:, None] + 0.02 * times
    torch.testing.assert_close(clips[:, 0, :, 0, 0], expected, atol=0.03, rtol=0)


def test_two_clips_fade_where_they_meet_and_are_cut_where_they_do_not():
    """Ends meet within a step. The second clip is 0.9 steps away: of it 1 / 3 is seen in frame
    14, 2 / 3 in frame 15. The third is 1.1 steps from it: it begins in frame 29 and not in 28.
    """
    conditions = torch.tensor([[[0.0, 0.0]], [[0.9, -0.9]], [[2.0, 0.2]]])
    clock = torch.arange(44.0) % 14
    rising = drawn(lambda z, c, times: saying(z, c, times) + (times % 14)[:, None])
    with torch.no_grad():
        clips = rising.clips(1, list(conditions), torch.arange(44.0))[0, 0, :, 0]
    first, second, third = conditions
    share = torch.tensor([0.0] * 14 + [1 / 3, 2 / 3] + [1.0] * 12)[:, None]
    expected = torch.cat([torch.lerp(first, second, share), second, third.expand(15, 2)])
    torch.testing.assert_close(clips, expected + clock[:, None])


def test_where_no_clip_goes_on_to_another_caption_another_sample_follows():
    """Brightness rises from z by 0.1: none of N(0, 1) begins at 1.4 and above, so new z follow."""
    with torch.no_grad():
        clips = drawn(lambda z, c, times: crossing(0.01 * z, c, times)).clips(
            200, [C[:1].expand(200, 2)] * 2, torch.arange(28.0)
        )[:, 0, :, 0, 0]
    jump = clips[:, 16:] - clips[:, 2:14]
    torch.testing.assert_close(jump[:, 1:], jump[:, :1].expand(-1, 11))
    assert jump.std() == pytest.approx(0.01 * math.sqrt(2), rel=0.2)


def test_where_no_clip_goes_on_with_one_caption_it_is_slower():
    """The 15 steps of 0.1 of one clip last for 27 frames: each is 15 / 27 of one."""
    with torch.no_grad():
        clips = drawn(lambda z, c, times: crossing(0.01 * z, c, times)).clips(
            5, [C[:1].expand(5, 2)], torch.arange(28.0)
        )[:, 0, :, 0, 0]
    torch.testing.assert_close(clips.diff(dim=1), torch.full((5, 27), 0.1 * 15 / 27))


def test_a_loop_and_a_change_of_caption_are_slower_too_where_no_clip_goes_on():
    """Through 15 steps of 0.1, there and back; and from one brightness to another, to its end."""
    brighter = drawn(lambda z, c, times: crossing(0.01 * z, c, times))
    with torch.no_grad():
        clips = brighter.loops(5, [C[:1].expand(5, 2)], Timing(60))[:, 0, :, 0, 0]
    assert clips.diff(dim=1).abs().max() < 0.1
    torch.testing.assert_close(clips.max(1).values - clips[:, 0], torch.full((5,), 1.5))
    begin, end = torch.tensor([[[0.0, 0.0]], [[3.0, 3.0]]])
    both = drawn(lambda z, c, times: crossing(0.01 * z, c, times) + saying(z, c, times))
    with torch.no_grad():
        clips = both.clips(1, [begin], torch.arange(28.0), into=end)[0, 0, :, 0, 0]
    torch.testing.assert_close(clips.diff(), torch.full((27,), (1.5 + 3) / 27))


def test_what_is_given_is_weighed_against_what_is_likely(monkeypatch: pytest.MonkeyPatch):
    """Six numbers of N(z, 2^2) are 1, z is of N(0, 1): most likely is (6 / 4) / (6 / 4 + 1)."""
    monkeypatch.setattr(continuation, "SPREAD", 2.0)
    still = drawn(lambda z, c, times: crossing(z, c, 0 * times))
    z = still.showing(torch.ones(3, 3, 1, 1, 2), torch.zeros(1), C)
    torch.testing.assert_close(z, torch.full((3, 1), 0.6), atol=0.02, rtol=0)


@pytest.mark.parametrize("frames", [28, 44])
def test_what_comes_back_by_itself_goes_on_for_ever(frames: int):
    """Each frame leads to the next by the same angle, the last one to the first as well.

    28 frames are two clips; 44 frames are three, slower by 42 / 44.
    """
    with torch.no_grad():
        clips = drawn(turning).loops(3, [C], Timing(frames))
    hands = clips[:, 0, :, 0]  # [batch time xy]
    turned = (hands * hands.roll(-1, 1)).sum(2)
    clips_in_it = round(frames / 14)
    step = 2 * math.pi / 7 * 14 * clips_in_it / frames
    torch.testing.assert_close(turned, torch.full_like(turned, math.cos(step)), atol=0.1, rtol=0)
    across = hands[..., 0] * hands.roll(-1, 1)[..., 1] - hands[..., 1] * hands.roll(-1, 1)[..., 0]
    assert (across > 0).all(), "forwards"


def test_what_can_be_faster_or_slower_comes_back_in_time():
    """Two clips are 3.7 turns and more or less: the second one hurries, or waits."""
    with torch.no_grad():
        clips = drawn(hurrying, 2).loops(3, [C], Timing(28))
    hands = clips[:, 0, :, 0]  # [batch time xy]
    following = hands.roll(-1, 1)
    across = hands[..., 0] * following[..., 1] - hands[..., 1] * following[..., 0]
    assert (across > 0).all(), "forwards"
    steps = (following - hands).norm(dim=2)
    assert (steps.amax(1) < 2 * steps.median(1).values).all()


def test_what_does_not_come_back_swings_there_and_back():
    with torch.no_grad():
        clips = drawn(crossing).loops(3, [C], Timing(28))
        slower = drawn(lambda z, c, times: crossing(z, c, times / 5))
        longer = slower.loops(3, [C], Timing(41, pace=0.5))
    level = clips[:, 0, :, 0, 0]
    expected = 0.1 * pendulum(Timing(28))
    torch.testing.assert_close(level - level[:, :1], expected.expand(3, -1))
    level = longer[:, 0, :, 0, 0]
    torch.testing.assert_close(level[:, 1:], level[:, 1:].flip(1))
    assert (level.amax(1) - level[:, 0]).tolist() == pytest.approx([0.82] * 3, abs=0.1)


def test_a_pendulum_begins_at_0_turns_at_half_of_the_time_and_is_even():
    times = pendulum(Timing(28))
    assert times[0] == 0 and times[14] == pytest.approx(14)
    torch.testing.assert_close(times[1:], times[1:].flip(0))
    steps = (times.roll(-1) - times).abs()
    assert steps.max() < math.pi / 2 and steps.sum() == pytest.approx(28)
    assert len(pendulum(Timing(1, pace=0.5))) == 1


@pytest.mark.parametrize("count", [1, 7, 16, 40])
def test_a_condition_changes_evenly_into_another_over_any_number_of_frames(count: int):
    first, last = torch.randn(2, 3, 2)
    times = torch.linspace(0, count - 1, count)
    with torch.no_grad():
        clips = drawn(saying).clips(3, [first], times, into=last)
        swinging = drawn(saying).loops(3, [first], Timing(2 * count), into=last)
    share = (times / max(1, count - 1))[:, None]
    expected = torch.lerp(first[:, None], last[:, None], share)
    torch.testing.assert_close(clips[:, 0, :, 0], expected)
    torch.testing.assert_close(swinging[:, 0, [0, count], 0], torch.stack([first, last], 1))


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("shapes", "cpu")


@pytest.mark.slow
def test_a_loop_of_the_model_has_no_seam_and_no_double_images(model: Model):
    """A shape that crosses the picture; blended, its brightest pixel would fade to one half."""
    caption = Shape("square", "large", "white", "straight", "north").caption
    (clip,), (alone,) = model.clips([caption], 1, loop=True), model.clips([caption], 1)
    assert clip.shape == (3, 28, 32, 32)
    torch.testing.assert_close(clip[:, 0], alone[:, 0], atol=1e-3, rtol=0)
    steps = steps_of(to_frames(clip[None])[0])
    assert steps[-1] <= np.median(steps) and steps.max() < 2 * np.median(steps)
    assert clip.amax((0, 2, 3)).min() > 0.9


def test_a_caption_changes_into_another_on_its_way(model: Model):
    red, blue = (
        Shape("circle", "large", of, "straight", "east").caption for of in ("red", "blue")
    )
    (clip,) = model.clips([red], 1, into=blue)
    assert clip.shape == (3, 16, 32, 32)
    (alone,) = model.clips([red], 1)
    torch.testing.assert_close(clip[:, 0], alone[:, 0], atol=1e-3, rtol=0)
    colour = clip.amax((2, 3))  # [rgb time]
    assert colour[0, 0] > 0.9 and colour[2, 0] < -0.5
    assert colour[2, -1] > 0.9 and colour[0, -1] < -0.5
    steps = steps_of(to_frames(clip[None])[0])[:-1]
    assert steps.max() < 3 * np.median(steps), "without a jump"
    with pytest.raises(ConfigError, match="not both: leave out into or then"):
        model.clips([red], 1, then=[CAPTIONS[0]], into=blue)


def test_a_model_warns_of_every_caption_and_says_that_it_has_no_clock(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(Model, "has_clock", False)
    options: list[dict[str, Any]] = [
        {"then": ["a purple dog"]},
        {"into": "a lilac cat"},
        {"loop": True},
    ]
    for more in options:
        with pytest.raises(UserError, match="shapes has no clock"):
            model.clips([CAPTIONS[0]], **more)
    assert "purple, dog" in caplog.text and "lilac, cat" in caplog.text
