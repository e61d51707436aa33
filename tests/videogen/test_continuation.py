"""Clips of any length and rate, and clips that begin with given frames."""

import math

import pytest
import torch

from core.errors import ConfigError
from videogen.continuation import OVERLAP, Continuation, Timing
from videogen.model import Model
from videogen.networks.gist import Decoder
from videogen.shapes.grammar import CAPTIONS

NORTH, EAST = CAPTIONS[0], CAPTIONS[1]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("shapes", "cpu").best_of(1)


def continuation(model: Model) -> Continuation:
    decoder = model.networks["decoder"]
    assert isinstance(decoder, Decoder)
    return Continuation(decoder, model.networks["prior"], model.space.sample)


def test_times_are_the_models_own_at_its_rate_and_denser_at_a_higher_one():
    assert Timing(16).times.tolist() == list(range(16))
    dense = Timing(48, pace=3.0).times
    assert (dense[0].item(), dense[-1].item(), len(dense)) == (0, 15, 48)
    assert Timing(8).times.tolist() == list(range(8))  # shorter: cut
    assert Timing(40).times[-1] == 39  # longer: goes on


def test_the_default_length_and_rate_are_those_of_training(model: Model):
    captions = [NORTH, EAST]
    same = model.clips(captions, 1, frames=16)
    torch.testing.assert_close(model.clips(captions, 1), same, atol=1e-3, rtol=0)


def test_a_denser_clip_shows_the_same_motion_with_moments_between(model: Model):
    (clip,), (dense,) = model.clips([NORTH], 1), model.clips([NORTH], 1, frames_per_second=16.0)
    assert dense.shape == (3, 32, 32, 32)
    torch.testing.assert_close(dense[:, [0, -1]], clip[:, [0, -1]], atol=1e-3, rtol=0)
    steps = (dense[:, 1:] - dense[:, :-1]).square().mean((0, 2, 3))
    own = (clip[:, 1:] - clip[:, :-1]).square().mean((0, 2, 3))
    assert steps.max() < 0.6 * own.mean()  # half a step changes a quarter of the energy


def test_a_longer_clip_begins_as_the_short_one_and_goes_on(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    """However well its latents are found: here after few steps, and whatever they show."""
    monkeypatch.setattr("videogen.continuation.STEPS", 5)
    monkeypatch.setattr("videogen.continuation.CLOSED", math.inf)
    (short,), (long,) = model.clips([NORTH], 1), model.clips([NORTH], 1, frames=24)
    assert long.shape == (3, 24, 32, 32)
    own = slice(16 - OVERLAP)
    torch.testing.assert_close(long[:, own], short[:, own], atol=1e-3, rtol=0)
    (longer,) = model.clips([NORTH], 1, frames=36)
    torch.testing.assert_close(longer[:, :24], long[:, :24], atol=1e-2, rtol=0)


def test_a_longer_clip_is_slower_where_none_goes_on(model: Model, monkeypatch: pytest.MonkeyPatch):
    """A shape that has crossed the picture: 31 frames show the 15 steps of 16 in halves."""
    monkeypatch.setattr("videogen.continuation.STEPS", 5)
    (short,), (long,) = model.clips([NORTH], 1), model.clips([NORTH], 1, frames=31)
    torch.testing.assert_close(long[:, ::2], short, atol=1e-3, rtol=0)
    steps = long.diff(dim=1).square().mean((0, 2, 3))
    assert steps.max() < 2 * steps.median()  # nowhere a cut


def test_clips_that_go_on_last_as_long_as_they_can_before_a_cut(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    """Three clips in a row: the first is cut after the second, the other after the first."""
    found = continuation(model)
    c = model.conditioning([NORTH, EAST])
    meets = iter([torch.tensor([True, False]), torch.tensor([False, True])])
    monkeypatch.setattr("videogen.continuation.STEPS", 2)
    monkeypatch.setattr(Continuation, "_meets", lambda *_: next(meets))
    with torch.no_grad():
        torch.manual_seed(5)
        slowed = found.clips(2, [c], torch.linspace(0, found.length(3) - 1, 59))
        meets = iter([torch.tensor([True, False])])
        torch.manual_seed(5)
        two = found._faded(found._chain(2, [(c, c)] * 2), torch.linspace(0, 29, 59))
        torch.manual_seed(5)
        one = found._faded(found._chain(2, [(c, c)]), torch.linspace(0, 15, 59))
    torch.testing.assert_close(slowed[0], two[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(slowed[1], one[1], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_clip_is_the_same_alone_and_among_others(model: Model):
    (alone,) = model.clips([NORTH], 1, frames=24)
    among = model.clips([NORTH, EAST, EAST], 1, frames=24)
    torch.testing.assert_close(among[0], alone, atol=1e-4, rtol=0)


def test_latents_are_found_of_a_clip_that_the_model_can_show(model: Model):
    """Frames that it generated are found more exactly than by the nearest of its samples."""
    c = model.conditioning([NORTH])
    assert c is not None
    found = continuation(model)
    torch.manual_seed(5)
    with torch.no_grad():
        given = found.clips(1, [c], torch.arange(2.0))
    torch.manual_seed(6)
    z = found.showing(given, torch.arange(2.0), c)
    error = (found.decoder(z, c, torch.arange(2.0)).mean - given).square().mean()
    samples = found.prior(64, c.expand(64, -1)).rsample()
    others = found.decoder(samples, c.expand(64, -1), torch.arange(2.0)).mean
    nearest = (others - given).square().mean((1, 2, 3, 4)).min()
    assert error < 0.5 * nearest


def test_a_clip_starts_with_the_given_picture_and_moves_on(model: Model):
    (clip,) = model.clips([NORTH], 3)
    picture = clip[:, 0]
    (started,) = model.clips([NORTH], 4, start=picture)
    (other,) = model.clips([NORTH], 4)
    frames = (started[:, 0], other[:, 0], started[:, -1], clip[:, -1])
    error, apart, moved, moves = ((one - picture).square().mean() for one in frames)
    assert error < 0.01 * apart
    assert moved > 0.5 * moves


def test_a_picture_that_no_clip_begins_with_is_named_once(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """A meadow, where the model knows black scenes; its own first frame is none to warn of."""
    (clip,) = model.clips([NORTH], 3)
    model.clips([NORTH], 4, start=clip[:, 0])
    assert not caplog.records
    meadow = torch.linspace(0, 1, 3)[:, None, None].expand_as(clip[:, 0])
    for seed in (1, 2):
        model.clips([NORTH], seed, start=meadow)
    (record,) = caplog.records
    assert record.getMessage().startswith(f'"{NORTH}" does not begin with the given picture')


@pytest.mark.slow
def test_further_captions_follow_the_first(model: Model):
    (clip,) = model.clips([NORTH], 1, then=[EAST])
    assert clip.shape[1] == 16 + 16 - OVERLAP
    (alone,) = model.clips([NORTH], 1)
    own = slice(16 - OVERLAP)
    torch.testing.assert_close(clip[:, own], alone[:, own], atol=1e-3, rtol=0)
    (same,) = model.clips([NORTH], 1, then=[NORTH])
    assert not torch.equal(clip[:, 20], same[:, 20])


def test_each_of_two_captions_is_seen_about_as_long(model: Model, monkeypatch: pytest.MonkeyPatch):
    """The third clip, three of the 32 frames, is the second caption's too."""
    monkeypatch.setattr("videogen.continuation.STEPS", 5)
    monkeypatch.setattr("videogen.continuation.CLOSED", math.inf)
    (short,) = model.clips([NORTH], 1, then=[EAST])
    (longer,) = model.clips([NORTH], 1, frames=32, then=[EAST])
    first = slice(30 - OVERLAP)
    torch.testing.assert_close(longer[:, first], short[:, first], atol=1e-3, rtol=0)
    (whole,) = model.clips([NORTH], 1, frames=32, then=[NORTH])
    assert not torch.equal(longer[:, 20], whole[:, 20])


@pytest.mark.parametrize(
    ("wishes", "right"),
    [
        ({"then": [EAST], "frames": 15}, 30),
        ({"then": [EAST], "frames": 45, "frames_per_second": 24.0}, 90),
        ({"then": [EAST, NORTH], "frames": 29}, 44),
        ({"then": [EAST], "frames": 28, "loop": True}, 56),
        ({"into": EAST, "frames": 1}, 16),
    ],
)
def test_a_clip_that_is_over_before_its_last_caption_is_refused(model: Model, wishes, right):
    """Each clip of 16 frames begins 14 after the one before; a loop goes there and back."""
    with pytest.raises(ConfigError, match=f"before the last caption begins: give {right}, or"):
        model.clips([NORTH], 1, **wishes)


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"captions": NORTH}, "captions: give a list of sentences"),
        ({"then": EAST}, "then: give a list of sentences"),
        ({"frames": 0}, "frames must be at least 1, not 0"),
        ({"frames": 10**9}, "frames must be at most 4096, not 1000000000"),
        ({"frames_per_second": 121}, "frames_per_second must be at most 120, not 121"),
        ({"then": [EAST] * 300}, "a clip would have 4216 frames, and at most 4096 are sampled"),
        ({"frames_per_second": -3}, "frames_per_second must be above 0, not -3"),
        ({"start": torch.zeros(3, 5, 5)}, r"start must be a picture \[3, 32, 32\]"),
    ],
)
def test_a_wrong_wish_is_named(model: Model, wishes, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        model.clips(**{"captions": [NORTH], "seed": 1, **wishes})


def test_a_clip_is_encoded_with_its_caption(model: Model):
    clips = model.clips([NORTH], 1)
    assert len(model.encode(clips, [NORTH])) == 1
    for captions in (None, [], [NORTH, EAST]):
        with pytest.raises(ConfigError, match="reads a condition of each clip: give 1, not"):
            model.encode(clips, captions)


@pytest.mark.parametrize("wishes", [{"frames": 17}, {"frames": 30, "loop": True}])
def test_the_last_of_just_enough_frames_shows_the_last_caption(
    model: Model, monkeypatch: pytest.MonkeyPatch, wishes
):
    monkeypatch.setattr("videogen.continuation.STEPS", 5)
    (east,) = model.clips([NORTH], 1, then=[EAST], **wishes)
    (north,) = model.clips([NORTH], 1, then=[NORTH], **wishes)
    assert not torch.equal(east, north)
