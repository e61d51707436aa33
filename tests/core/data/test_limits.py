"""Limits on source files, of every domain."""

import pytest
from pydantic import ValidationError

from core.data.limits import Limits
from musegen.files.limits import MusicLimits
from musegen.voice.data.limits import VoiceLimits
from videogen.files.limits import VideoLimits

LIMITS = (Limits, MusicLimits, VideoLimits, VoiceLimits)
EVERY = [(limits, name) for limits in LIMITS for name in limits.model_fields]


@pytest.mark.parametrize(("limits", "name"), EVERY)
def test_the_least_limit_is_one_and_none_is_nothing(limits: type[Limits], name: str):
    assert getattr(limits.model_validate({name: 1}), name) == 1
    for nothing in (0, -1):
        with pytest.raises(ValidationError, match=name):
            limits.model_validate({name: nothing})


def test_an_archive_may_unpack_to_its_ratio_and_a_small_one_to_that_of_ten_kilobytes():
    limits = Limits(archive_ratio=50)
    assert limits.most_unpacked(20_000) == 1_000_000
    assert limits.most_unpacked(10) == limits.most_unpacked(10_000) == 500_000
