"""Times of excerpts: read where it is certain what they count, and never passed over."""

import math
from typing import Any

import pytest

from core.data.sources import RejectedFile
from videogen.data.cells import Faulty
from videogen.data.time_columns import is_time
from videogen.data.times import excerpts
from videogen.files.clock import InFrames


def excerpt(count: int = 1, **fields: Any) -> Any:
    found = list(excerpts(fields, count))
    return found[0] if count == 1 else found


@pytest.mark.parametrize(
    "fields",
    [
        {"start_ms": "1500", "end_ms": "4000"},
        {"start_(ms)": 1500, "end_(ms)": 4000},
        {"startmillis": 1500, "endmillis": 4000},
        {"start_us": 1_500_000, "end_us": 4_000_000},
        {"start_min": 0.025, "duration_ms": 2500},
        {"starttimeinseconds": "1.5", "endtimeinseconds": "4"},
        {"clip_start_sec": 1.5, "clip_end_sec": 4},
        {"segment_start": "0:01.5", "segment_end": "0:04"},
        {"t_start": 1.5, "t_end": 4.0},
        {"start_offset": 1.5, "end_offset": 4},
        {"begin[s]": 1.5, "finish[s]": 4},
        {"start": 1.5, "length": 2.5},
        {"start": "1.5", "start_ms": "1500", "end": "4", "end_ms": "4000"},
        {"start": "", "end": "", "start_ms": "1500", "end_ms": "4000"},
        {"start": "1500 ms", "end": "PT4S"},
        {"in": "1.5", "out": "4"},
        {"timestamp": "00:00:01.5 --> 00:00:04"},
        {"time_range": "1.5 - 4"},
        {"segment": "(1.5, 4)"},
        {"time": "0:01.5-0:04"},
        {"interval": "1.5..4"},
        {"timecode": "00:00:01.5 to 00:00:04.0"},
        {"offset": 1.5, "duration": 2.5},
        {"offset": 1.5, "length": 2.5},
        {"offset_ms": 1500, "length_ms": 2500},
        {"clip_offset_s": 1.5, "dur": 2.5, "caption_length": 12},
        {"start": 1.5, "len_s": 2.5},
        {"ss": "1.5", "t": "2.5"},
        {"ss": "0:01.5", "to": "0:04"},
        {"onset": 1.5, "offset": 4},
        {"start_frame": 36, "end_frame": 96, "fps": 24},
        {"start_time": 1.5, "end_time": 4, "start_frame": 45, "end_frame": 120},
        {"start_timestamp": 1.5, "stop_timestamp": 4, "narration_timestamp": "0:01"},
        {"timestamps": [[1.5, 4]], "duration": 3.9},
    ],
    ids=str,
)
def test_times_are_read_in_their_unit(fields: dict[str, Any]):
    assert excerpt(**fields) == pytest.approx((1.5, 4))
    assert not isinstance(excerpt(**fields), InFrames)


def test_frames_are_counted_by_the_film():
    assert excerpt(start_frame="30", end_frame="90") == InFrames(30, 90)
    assert excerpt(startframe=0, stopframe=16) == InFrames(0, 16)
    assert excerpt(frame_start=30, num_frames=60) == InFrames(30, 90)
    assert excerpt(frame_range="[30, 90]") == InFrames(30, 90)
    assert excerpt(start_frame=30, end_frame="") == InFrames(30, math.inf)
    assert isinstance(excerpt(start_frame=30, end_frame=90), InFrames)


def test_a_begin_or_an_end_alone_leads_to_that_of_the_film():
    assert excerpt(start=5, caption="x") == excerpt(start="5", end="") == (5, math.inf)
    assert excerpt(start_ms=5000, end_ms=math.nan) == (5, math.inf)
    assert excerpt(end="7") == excerpt(start="nan", end=7) == (0, 7)
    assert excerpt(start=0) is None
    assert excerpt(duration=60) is None, "that of the film"
    assert excerpt(start=5, video_duration=60) == (5, math.inf)


def test_each_caption_of_a_film_has_its_time():
    """HowTo100M."""
    assert excerpt(2, start=[0, 5], end=[5, 9.5]) == [(0, 5), (5, 9.5)]
    with pytest.raises(RejectedFile, match="it has 2 times for 3 captions"):
        excerpt(3, start=[0, 5], end=[5, 9.5])
    with pytest.raises(RejectedFile, match="it has 2 begins, 1 ends"):
        excerpt(2, start=[0, 5], end=[5])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"start_idx": 3, "end_idx": 9}, "what its columns start_idx and end_idx count"),
        ({"start_tick": 3}, "what its columns start_tick count: name them start and end, in sec"),
        ({"word_start": 3, "word_end": 9}, "what its columns word_start and word_end count"),
        ({"first_frame": 3, "last_frame": 9}, "what its columns first_frame and last_frame"),
        ({"start_hms": "00:00:01", "end_hms": "00:00:02"}, "its columns start_hms and end_hms"),
        ({"tc_in": "00:00:01:12", "tc_out": "00:00:02:00"}, "its columns tc_in and tc_out count"),
        ({"von": "1", "bis": "2"}, "what its columns von and bis count"),
        ({"t0": 1, "t1": 2}, "what its columns t0 and t1 count"),
        ({"début": "1", "fin": "2"}, "what its columns début and fin count"),
        ({"st": "1", "ed": "2"}, "what its columns st and ed count"),
        ({"s": "1", "e": "2"}, "what its columns s and e count"),
        ({"开始秒": "0.2", "持续秒": "1"}, "what its columns 开始秒 and 持续秒 count"),
        ({"trim": "0.2-1.0"}, "what '0.2-1.0' in its column trim is: write a begin and an end"),
        ({"timestamp_start_end": "[0.2, 1.0]"}, "in its column timestamp_start_end is"),
        ({"时间段": "00:05-00:10"}, "in its column 时间段 is"),
        ({"t_s": "1", "t_e": "2"}, "what its columns t_s and t_e count"),
        ({"开始": "1", "结束": "2"}, "what its columns 开始 and 结束 count"),
        ({"开始时间": "0:01", "结束时间": "0:02"}, "what its columns 开始时间 and 结束时间"),
        ({"시작": 1, "종료": 2}, "what its columns 시작 and 종료 count"),
        ({"начало": 1, "конец": 2}, "what its columns начало and конец count"),
        ({"время_начала": 1, "время_окончания": 2}, "время_начала and время_окончания count"),
        ({"start": 1, "slut": 2}, "what its columns start and slut count"),
        ({"anf": 1, "mulai": "00:01", "selesai": "00:02.5"}, "its columns mulai and selesai"),
        ({"time": "0:05"}, "its column time has one time"),
        ({"start": 3, "end_frame": 90}, "one of its columns start and end_frame counts frames"),
        ({"start": 3, "clip_start": 60, "end": 70}, "its columns clip_start and start differ"),
        ({"timestamp": "5.5"}, "its column timestamp has one time"),
        ({"timestamps": [[0, 300]], "fps": 29.4, "num_frames": 6000}, "in a film of 204.082 s"),
        ({"timestamps": [[0, 300]], "duration": 82.7}, "ends at 300 s in a film of 82.7 s"),
        ({"times": [[0, 1], [1, 2]]}, "not known what its column times counts"),
    ],
    ids=str,
)
def test_columns_in_no_known_unit_are_not_understood(fields: dict[str, Any], why: str):
    with pytest.raises(Faulty, match=why):
        excerpt(**fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"start": "00:00:01:12", "end": "00:00:02:00"},
            "'00:00:01:12' in column start is no",
        ),
        ({"segment": "2.0:3.5"}, "'2.0:3.5' in column segment is no time"),
        ({"start": "1,234.5", "end": "9"}, "'1,234.5' in column start is no time: write seconds"),
        (
            {"start_ms": "1:30", "end_ms": "90"},
            "'1:30' in column start_ms is no time: write a",
        ),
        ({"start": -3, "end": 5}, "its excerpt begins at -3 s and ends at 5 s"),
        ({"start_frame": 9, "end_frame": -1}, "begins at frame 9 and ends at frame -1"),
    ],
    ids=str,
)
def test_times_that_cannot_be_are_refused(fields: dict[str, Any], why: str):
    with pytest.raises(RejectedFile, match=why):
        excerpt(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"start_date": "2026-01-01", "end_date": "2026-02-01"},
        {"start": "2026-01-01", "end": "2026-01-02"},
        {"from": "user1", "to": "user2"},
        {"timestamp": 1_700_000_000},
        {"timestamp": "2026-01-01 12:00:00"},
        {"segment": "part 1"},
        {"segment": 3},
        {"num_frames": 100, "fps": 24},
        {"frames": 100},
        {"attention": 3, "trend": 5},
        {"first_name": "Jo", "last_name": "Do"},
        {"time": "noon"},
        {"out": 1, "to": 5, "offset": 3},
    ],
    ids=str,
)
def test_other_columns_are_no_times(fields: dict[str, Any]):
    assert excerpt(**fields) is None


def test_a_name_longer_than_those_of_columns_is_no_time():
    """A name of thousands of letters would be searched for its words for hours."""
    assert is_time("clip_" * 10 + "start") and not is_time("clip_" * 4000 + "start")


def test_columns_of_words_of_one_letter_that_hold_none_are_no_times():
    assert excerpt(s="yes", e="no") is None
    assert excerpt(aspect="16:9", shape="4:3") is None
    assert excerpt(recorded="12:30:05") is None
    assert excerpt(scene="1-2", host="1.2.3.4", size="640-480") is None


@pytest.mark.parametrize(
    ("fps", "times", "seconds"),
    [
        (24, ("00:00:01:12", "00:00:02:00"), (1.5, 2)),
        ("25", ("00:01:00:05", "01:00:00:00"), (60.2, 3600)),
        (24000 / 1001, ("00:00:10:00", "00:00:20:00"), (10.01, 20.02)),
        (30000 / 1001, ("00:01:00;02", "00:10:00;00"), (60.06, 599.9994)),
        (60000 / 1001, ("00:01:00;04", "00:10:00;00"), (60.06, 599.9994)),
    ],
)
def test_time_codes_are_read_beside_a_rate(fps: Any, times: Any, seconds: Any):
    """A minute of dropped numbers begins with frame 2, which is the 1800th of 29.97 a second."""
    begin, end = times
    assert excerpt(start=begin, end=end, fps=fps) == pytest.approx(seconds, abs=1e-4)


def test_time_codes_without_a_rate_or_beyond_it_are_refused():
    for rate in ({}, {"fps": 12}):
        with pytest.raises(RejectedFile, match=r"as 72\.5 or 1:12\.5, or add a column fps"):
            excerpt(start="00:00:01:12", end="00:00:02:00", **rate)
