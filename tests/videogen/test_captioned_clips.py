"""Captioned clips are those of a folder, or moving shapes."""

import pytest

from core.errors import ConfigError
from videogen.captioned_clips import find_data, find_other
from videogen.shapes.dataset import MovingShapes

SHAPES = MovingShapes(size=16, frames=4)


def test_data_is_a_folder_or_shapes():
    assert find_data(None, True, True, "small").size == 32
    one, both = (find_data(None, True, pairs, "small") for pairs in (False, True))
    assert isinstance(one, MovingShapes) and isinstance(both, MovingShapes)
    assert one.counts == (1,) and both.counts == (1, 2)
    assert any(" and " in caption for caption in both.batch(0, 20, seed=0)[1])
    assert not any(" and " in caption for caption in one.batch(0, 20, seed=0)[1])
    for arguments in ((None, False, False), (None, False, True)):
        with pytest.raises(ConfigError, match="--shapes"):
            find_data(*arguments, "small")


def test_a_second_collection_of_shapes_is_named_by_a_word():
    other = find_other("blue", SHAPES)
    assert isinstance(other, MovingShapes)
    _, captions = other.batch(3, 20, seed=2)
    assert all(" blue " in caption for caption in captions)
    assert other.digest != SHAPES.digest
    with pytest.raises(ConfigError, match="did you mean 'blue'"):
        find_other("bleu", SHAPES)
    assert find_other(None, SHAPES) is None
