"""Moving shapes: drawings follow their captions, and the judge's thresholds hold."""

import itertools

import numpy as np
import pytest
import torch

from core.errors import ConfigError, UserError
from videogen.files.clip import to_clips
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.drawing import _place, coverage, draw, trajectories
from videogen.shapes.grammar import (
    CAPTIONS,
    COLOURS,
    MOTIONS,
    NONE,
    SHAPES,
    Shape,
    parse,
    split_of,
)
from videogen.shapes.judge import ATTRIBUTES, agreement, judge

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


def test_clips_for_training_are_the_frames_that_are_written():
    data = MovingShapes(16, 4, (1, 2))
    frames, captions = data.batch(3, 6, seed=5, split="test")
    clips, same = data.clips(3, 6, seed=5, split="test")
    assert same == captions
    assert torch.equal(clips, to_clips(frames))


def test_all_that_is_drawn_is_drawn_on_the_device():
    """Tensors of the device meta have no numbers, and refuse others."""
    clips, _ = MovingShapes(16, 4, (1, 2)).clips(0, 6, seed=1, device="meta")
    assert clips.device.type == "meta" and clips.shape == (6, 3, 4, 16, 16)


def test_one_caption_in_ten_is_held_out_and_all_its_words_are_known():
    held = [shape for shape in SHAPES if split_of(shape.caption) == "test"]
    assert len(held) == 36
    for name in ATTRIBUTES:
        everywhere = {getattr(shape, name) for shape in SHAPES}
        assert {getattr(shape, name) for shape in held} == everywhere


@pytest.mark.parametrize(("size", "shapes"), list(itertools.product([32, 64], [1, 2])))
def test_the_judge_is_right_on_what_is_drawn_and_under_noise(size, shapes):
    data = MovingShapes(size, 16, [shapes])
    captions = data.captions(16, np.random.default_rng(3), "train")
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
def test_the_judge_recognises_nothing_in(clip, shapes):
    assert judge(clip, shapes) == [(Shape(NONE, NONE, NONE, NONE, NONE),) * shapes]


def test_a_shape_that_stands_still_has_no_motion_and_a_reversed_clip_the_opposite_one():
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


def test_a_square_moves_half_the_frame_towards_the_south():
    clip = draw(["A large white square is moving in a straight line towards south"], 2, 50)[0]
    rows = ((clip + 1) / 2).mean(0).sum(2) @ (torch.arange(50.0) + 0.5)
    area = ((clip + 1) / 2).mean(0).sum((1, 2))
    assert area.tolist() == pytest.approx([22**2] * 16, rel=0.01)
    assert (rows / area)[-1] - (rows / area)[0] == pytest.approx(25, abs=0.01)
    assert clip.amax((1, 2, 3)).tolist() == pytest.approx(list(COLOURS["white"]))


def test_a_batch_is_a_function_of_its_number_and_seed():
    data = MovingShapes(16, 4)
    frames, captions = data.batch(3, 5, seed=1)
    repeated = data.batch(3, 5, seed=1)
    assert np.array_equal(frames, repeated[0])
    assert captions == repeated[1]
    assert frames.shape == (5, 4, 16, 16, 3)
    assert data.batch(4, 5, seed=1)[1] != captions
    assert {split_of(c) for c in data.batch(0, 50, seed=2, split="test")[1]} == {"test"}
    assert {word for c in captions for word in c.lower().split()} <= set(data.words)
    assert data.digest != MovingShapes(16, 4, counts=[2]).digest


def test_clips_of_one_and_two_shapes_are_equally_frequent():
    captions = MovingShapes(16, 4, counts=(1, 2)).batch(0, 64, seed=1)[1]
    counts = [len(parse(caption)) for caption in captions]
    assert set(counts) == {1, 2}
    assert 16 < counts.count(2) < 48
    assert all(len({s.colour for s in parse(c)}) == len(parse(c)) for c in captions)


def blocks(**pixels: int) -> torch.Tensor:
    """A still clip of 32 x 32 pixels with as many pixels of each colour, in rows of their own."""
    clip = -torch.ones(1, 3, 16, 32, 32)
    for number, (colour, count) in enumerate(pixels.items()):
        flat = torch.zeros(16 * 32)
        flat[:count] = 1
        area = torch.tensor(COLOURS[colour])[:, None, None] * flat.view(16, 32)
        clip[0, :, :, 16 * number : 16 * number + 16] += 2 * area[:, None]
    return clip


def test_a_colour_is_recognised_from_half_the_smallest_area():
    """The smallest shape is the small triangle: 2 * 0.13^2 of 1024 pixels are 34.6."""
    assert judge(blocks(red=17))[0][0].colour == NONE
    assert judge(blocks(red=18))[0][0].colour == "red"


def test_a_colour_is_recognised_with_three_fifths_of_the_covered_pixels():
    assert judge(blocks(blue=41, red=59))[0][0].colour == NONE
    assert judge(blocks(blue=39, red=61))[0][0].colour == "red"
    assert {shape.colour for shape in judge(blocks(blue=45, red=55), 2)[0]} == {"red", "blue"}


@pytest.mark.parametrize(("brightness", "kind"), [(0.42, "square"), (0.39, NONE)])
def test_a_drawing_is_recognised_up_to_its_relative_error(brightness: float, kind: str):
    """A shape of brightness b differs from its drawing by (1 - b)^2: 0.336 and 0.372."""
    clip = draw([DIAGONAL], 1, 64)
    assert judge(brightness * (clip + 1) - 1)[0][0].kind == kind


@pytest.mark.parametrize(("length", "direction"), [(0.52, "east"), (0.48, NONE)])
def test_a_motion_is_recognised_up_to_its_relative_error(length: float, direction: str):
    """A path of length l of the true one differs from it by (1 - l)^2: 0.23 and 0.27."""
    path = trajectories(16, 1.0)[MOTIONS.index(("straight", "east"))]
    centres = torch.from_numpy(0.5 + length * path).float()[None]
    cover = coverage(["circle"], torch.tensor([0.13]), centres, 64)
    clip = 2 * cover[:, None].expand(-1, 3, -1, -1, -1) - 1
    assert judge(clip)[0][0] == Shape(
        "circle", "small", "white", "straight" if direction == "east" else NONE, direction
    )


def test_a_zigzag_swings_twice_to_both_sides():
    """By 0.12 frame widths, right of its direction first; x of a path towards the north."""
    x, y = trajectories(17, 1.0)[MOTIONS.index(("zigzag", "north"))].T
    turns = [0, 2, 6, 10, 14, 16]
    assert x[turns].tolist() == pytest.approx([0, 0.12, -0.12, 0.12, -0.12, 0])
    assert y[[0, 8, 16]].tolist() == pytest.approx([0.25, 0, -0.25])


@pytest.mark.parametrize("word", ["red", "triangle", "zigzag", "southwest"])
def test_all_captions_show_the_word_that_is_chosen(word: str):
    data = MovingShapes(16, 4, counts=(1, 2), showing=word)
    for split in ("train", "test"):
        captions = data.captions(40, np.random.default_rng(2), split)
        assert all(word in caption.lower().split() for caption in captions)
        assert {split_of(caption) for caption in captions} == {split}
    assert data.digest != MovingShapes(16, 4, counts=(1, 2)).digest


def test_a_word_that_no_caption_has_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'circle'"):
        MovingShapes(16, 4, showing="circel")


@pytest.mark.parametrize("size", [32, 64])
def test_shapes_stay_inside_the_frame_and_two_do_not_overlap(size: int):
    """The covered area is the sum of both, whole, in each frame."""
    captions = MovingShapes(size, 16, counts=(2,)).captions(40, np.random.default_rng(0), "train")
    cover = ((draw(captions, 3, size) + 1) / 2).amax(1)
    areas = [sum(AREA[s.kind] * (0.7 * HALF[s.size]) ** 2 for s in parse(c)) for c in captions]
    assert cover.mean((2, 3)).amin(1).tolist() == pytest.approx(areas, rel=0.06)


AREA = {"square": 4, "circle": np.pi, "triangle": 2}
"""By half the width, squared."""
HALF = {"small": 0.13, "large": 0.22}


def test_of_the_places_of_two_shapes_the_first_with_a_gap_of_a_32nd_is_taken():
    """Two still shapes in 300 clips, each a fifth of a frame wide."""
    half = np.full((300, 2), 0.1)
    centres = _place(half, np.zeros((300, 2, 1, 2)), np.random.default_rng(0))
    gaps = np.abs(centres[:, 0] - centres[:, 1]).max(-1)[:, 0] - 0.2  # [clip]
    assert 1 / 32 <= gaps.min() < 1 / 24
    assert gaps.max() <= 0.6 and np.median(gaps) < 0.3
    assert (np.abs(centres - 0.5) <= 0.4).all()


def test_without_room_the_widest_gap_is_taken():
    half = np.full((50, 2), 0.3)
    centres = _place(half, np.zeros((50, 2, 1, 2)), np.random.default_rng(0))
    overlaps = 0.6 - np.abs(centres[:, 0] - centres[:, 1]).max(-1)  # at least 0.2
    assert overlaps.min() >= 0.2 and overlaps.max() < 0.3
