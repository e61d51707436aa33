"""A clip knows its film, and a list of clips when it changes."""

from pathlib import Path

from listings import write

from videogen.data.sources.captioned import Captioned
from videogen.data.sources.listing import listing


def test_a_change_of_a_caption_or_a_clip_changes_the_digest(folder: Path):
    seen = {listing([str(folder)]).sha256}
    write(folder, b_dot_txt="other words")
    seen.add(listing([str(folder)]).sha256)
    write(folder, b_dot_mkv="longer")
    seen.add(listing([str(folder)]).sha256)
    assert len(seen) == 3


def test_clips_of_youtube_are_parts_of_their_films():
    def film(name: str, times: tuple[float, float] | None = None) -> tuple[str, float]:
        return Captioned(name, "", excerpt=times).film

    assert film("run/mv89psg6zh4_33_46.avi") == ("run/mv89psg6zh4.avi", 33)
    assert film("mv89psg6zh4_33_46.avi", (2, 5)) == ("mv89psg6zh4.avi", 35)
    assert film("mv89psg6zh4_33_46.avi", (33, 46)) == ("mv89psg6zh4.avi", 33)
    assert film("person_walk_1_2.mp4") == ("person_walk_1_2.mp4", 0), "no id"
    assert film("mv89psg6zh4.avi", (2, 5)) == ("mv89psg6zh4.avi", 2)
