"""Networks of clips are built for sizes and lengths that they can generate."""

import pytest

from core.errors import ConfigError
from videogen.networks.build import build
from videogen.networks.config import VideoConfig
from videogen.networks.text import TextConfig
from videogen.recipes import RECIPES

TINY = VideoConfig(latent=4, channels=4, critic_channels=4, width=16, text=TextConfig(width=8))


@pytest.mark.parametrize(("size", "cure"), [(24, 16), (48, 32), (100, 128), (200, 256), (20, 16)])
def test_a_size_that_doubling_does_not_reach_is_refused_with_the_nearest(size: int, cure: int):
    with pytest.raises(ConfigError, match=f"these clips have {size}: .* --size {cure}$"):
        build(TINY, size, 4, 3, RECIPES["gist"].conditional())


def test_a_number_of_frames_that_is_odd_is_refused():
    with pytest.raises(ConfigError, match=r"2 frames at a time, .* have 5: .* --frames 6$"):
        build(TINY, 16, 5, 3, RECIPES["gist"].conditional())
