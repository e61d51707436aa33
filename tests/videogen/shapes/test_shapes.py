"""Moving shapes: what is drawn is what the caption says, and the judge knows when to say no."""

import itertools

import numpy as np
import pytest
import torch

from core.errors import UserError
from videogen.shapes.drawing import draw
from videogen.shapes.grammar import CAPTIONS, COLOURS, NONE, SHAPES, Shape, parse, split_of
from videogen.shapes.judge import ATTRIBUTES, agreement, judge
from videogen.shapes.moving import MovingShapes

ZIGZAG = "A small red circle is moving in a zigzag path towards north"
DIAGONAL = "A large blue square is moving in a diagonal path in the southwest direction"


def wrong(captions: list[str], clips: torch.Tensor) -> int:
    """Clips of which the judge reads anything but what the caption says."""
    return sum(agreement([c], x[None])["all"] < 1 for c, x in zip(captions, clips, strict=True))


def test_the_grammar_has_360_sentences():
    assert len(CAPTIONS) == len(set(CAPTIONS)) == 360
    assert {ZIGZAG, DIAGONAL} <= set(CAPTIONS)
    assert parse(DIAGONAL) == (Shape("square", "large", "blue", "diagonal", "southwest"),)
    assert [shape.colour for shape in parse(f"{ZIGZAG} and {DIAGONAL.lower()}.")] == [
        "red",
        "blue",
    ]


@pytest.mark.parametrize("caption", ["", "A dog", f"{ZIGZAG} and", ZIGZAG.replace("red", "pink")])
def test_other_sentences_are_refused(caption):
    with pytest.raises(UserError, match="describes no moving shapes"):
        parse(caption)


def test_one_caption_in_ten_is_held_out_and_all_its_words_are_known():
    held = [shape for shape in SHAPES if split_of(shape.caption) == "test"]
    assert len(held) == 36
    for name in ATTRIBUTES:
        everywhere = {getattr(shape, name) for shape in SHAPES}
        assert {getattr(shape, name) for shape in held} == everywhere


@pytest.mark.parametrize(("size", "shapes"), list(itertools.product([32, 64], [1, 2])))
def test_the_judge_is_right_on_what_is_drawn_and_under_noise(size, shapes):
    data = MovingShapes(size, 16, [shapes])
    captions = data.captions(64, np.random.default_rng(3), "train")
    clips = draw(captions, 5, size)
    assert wrong(captions, clips) == 0
    noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(1))
    assert wrong(captions, clips + 0.05 * noise) == 0


@pytest.mark.slow
@pytest.mark.parametrize("shapes", [1, 2])
def test_the_judge_is_right_in_999_of_1000(shapes):
    data, failures = MovingShapes(32, 16, [shapes]), 0
    for number in range(30):
        captions = data.captions(100, np.random.default_rng(number), "train")
        clips = draw(captions, number, 32)
        noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(number))
        failures += wrong(captions, clips) + wrong(captions, clips + 0.05 * noise)
    assert failures <= 6


@pytest.mark.parametrize(
    "clip",
    [
        -torch.ones(1, 3, 16, 32, 32),
        torch.full((1, 3, 16, 32, 32), float("nan")),
        torch.rand(1, 3, 16, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1,
        torch.randn(1, 3, 16, 32, 32, generator=torch.Generator().manual_seed(2)),
    ],
    ids=["blank", "nan", "uniform noise", "normal noise"],
)
@pytest.mark.parametrize("shapes", [1, 2])
def test_the_judge_says_none(clip, shapes):
    assert judge(clip, shapes) == [(Shape(NONE, NONE, NONE, NONE, NONE),) * shapes]


def test_the_judge_sees_what_a_shape_is_without_seeing_where_it_goes():
    background = draw([DIAGONAL], 1, 32)[:, :, :1].expand(-1, -1, 16, -1, -1)
    assert judge(background)[0][0] == Shape("square", "large", "blue", NONE, NONE)
    backwards = draw([DIAGONAL], 1, 32).flip(2)
    assert judge(backwards)[0][0] == Shape("square", "large", "blue", "diagonal", "northeast")


def test_a_wrong_caption_agrees_in_what_it_shares():
    other = "A small blue circle is moving in a diagonal path in the northeast direction"
    shares = agreement([other], draw([DIAGONAL], 1, 32))
    assert shares == {"kind": 0, "size": 0, "colour": 1, "path": 1, "direction": 0, "all": 0}


def test_the_order_of_two_shapes_does_not_matter():
    both, swapped = f"{ZIGZAG} and {DIAGONAL.lower()}", f"{DIAGONAL} and {ZIGZAG.lower()}"
    assert agreement([swapped], draw([both], 4, 64))["all"] == 1


def test_a_square_is_where_its_way_leads():
    """Towards the south by half a frame: the rows of its centre, first and last."""
    clip = draw(["A large white square is moving in a straight line towards south"], 2, 50)[0]
    rows = ((clip + 1) / 2).mean(0).sum(2) @ (torch.arange(50.0) + 0.5)
    area = ((clip + 1) / 2).mean(0).sum((1, 2))
    assert area.tolist() == pytest.approx([22**2] * 16, rel=0.01)
    assert (rows / area)[-1] - (rows / area)[0] == pytest.approx(25, abs=0.01)
    assert clip.amax((1, 2, 3)).tolist() == pytest.approx(list(COLOURS["white"]))


def test_a_batch_is_a_function_of_its_number_and_seed():
    data = MovingShapes(16, 4)
    frames, captions = data.batch(3, 5, seed=1)
    again = data.batch(3, 5, seed=1)
    assert np.array_equal(frames, again[0])
    assert captions == again[1]
    assert frames.shape == (5, 4, 16, 16, 3)
    assert data.batch(4, 5, seed=1)[1] != captions
    assert {split_of(c) for c in data.batch(0, 50, seed=2, split="test")[1]} == {"test"}
    assert {word for c in captions for word in c.lower().split()} <= set(data.words)
    assert data.digest != MovingShapes(16, 4, counts=[2]).digest


def test_a_clip_has_one_of_the_wished_numbers_of_shapes():
    captions = MovingShapes(16, 4, counts=(1, 2)).batch(0, 64, seed=1)[1]
    counts = [len(parse(caption)) for caption in captions]
    assert set(counts) == {1, 2}
    assert 16 < counts.count(2) < 48
    assert all(len({s.colour for s in parse(c)}) == len(parse(c)) for c in captions)
