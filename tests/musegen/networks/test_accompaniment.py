"""The division of tracks into given ones and made ones."""

import pytest
import torch

from core.errors import ConfigError
from musegen.networks.accompaniment import Accompaniment
from musegen.tracks import TRACK_LISTS

LAKH = TRACK_LISTS["lakh"]


def numbered(tracks: int) -> torch.Tensor:
    """x [2 track state bar step pitch] in which every cell of a track is the track's number."""
    return torch.arange(float(tracks)).view(1, -1, 1, 1, 1, 1).expand(2, -1, 2, 3, 4, 7)


def test_tracks_are_divided_by_name_in_the_order_of_the_collection():
    parts = Accompaniment.of(["BASS", "drums", "Bass"], LAKH)
    assert parts == Accompaniment(given=(0, 3), others=(1, 2, 4))
    x, c = parts.divide(numbered(5))
    assert c is not None
    assert x[0, :, 0, 0, 0, 0].tolist() == [1, 2, 4]
    assert c[1, :, 1, 2, 3, 6].tolist() == [0, 3]


def test_without_given_tracks_there_is_no_condition():
    x, c = Accompaniment.of([], LAKH).divide(numbered(5))
    assert c is None
    assert torch.equal(x, numbered(5))


def test_unknown_names_and_nothing_to_make_are_refused():
    with pytest.raises(
        ConfigError, match=r"given: no track is called 'paino': did you mean 'piano'"
    ):
        Accompaniment.of(["drums", "paino"], LAKH)
    with pytest.raises(ConfigError, match="all tracks are given"):
        Accompaniment.of([track.name for track in LAKH], LAKH)
