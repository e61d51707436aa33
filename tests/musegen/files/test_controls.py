"""Controllers: what the channels of a file are turned to, and how that sounds."""

import numpy as np
import pytest
from handmade import bend, control, midi, note, number, program
from tones import pitch_of

from musegen.controls import STILL, Controls
from musegen.files.audio import SAMPLE_RATE
from musegen.files.midi import read_performance
from musegen.files.sound import Session


def controls(*tracks: bytes) -> tuple[Controls, ...]:
    return read_performance(midi(*tracks)).controls


def changes(one: Controls) -> list[tuple[float, ...]]:
    columns = (one.at, one.gain, one.pan, one.semitones)
    return list(zip(*(column.round(4).tolist() for column in columns), strict=True))


def test_volume_and_expression_multiply_and_their_levels_are_squared():
    track = control(7, 50) + note(60, 480) + control(11, 64, after=480) + control(121, 0, 480)
    assert changes(*controls(track)) == [
        (0, 0.25, 0, 0),
        (1, pytest.approx(0.25 * (64 / 127) ** 2, abs=1e-4), 0, 0),
        (1.5, 0.25, 0, 0),
    ]


def test_places_go_from_the_left_to_the_right_and_64_is_the_middle():
    track = b"".join(control(10, value, after=480) for value in (0, 64, 127)) + note(60, 480)
    assert [pan for _, _, pan, _ in changes(*controls(track))] == [0, -1, 0, 1]


def test_a_bend_has_the_range_of_its_channel():
    """Two semitones, until the parameter of the range is chosen and set; not another one."""
    chosen = control(101, 0) + control(100, 0) + control(6, 12)
    other = control(101, 0) + control(100, 3) + control(6, 99) + control(99, 1) + control(6, 98)
    track = bend(-8192, 480) + control(7, 100, 480) + chosen + bend(4096, 480) + other
    track += bend(2048, 480) + note(60, 480) + control(121, 0)
    bends = [semitones for *_, semitones in changes(*controls(track))]
    assert bends == [0, -2, -12, 6, 3, 0]


def test_the_range_of_bends_has_cents_and_a_channel_may_be_tuned_finely():
    """Half of 50 cents; then half a semitone down, and with no bend: the tuning stays."""
    cents = control(101, 0) + control(100, 0) + control(6, 0) + control(38, 50)
    fine = control(101, 0) + control(100, 1) + control(6, 32, 480) + control(38, 0)
    (found,) = controls(cents + bend(4096) + note(60, 480) + fine + bend(0))
    assert found.semitones.tolist() == [0.25, -0.5]


def test_members_of_a_zone_bend_by_48_semitones():
    zone = control(101, 0) + control(100, 6) + control(6, 2)
    track = zone + bend(2048) + bend(2048, channel=2) + bend(2048, channel=4)
    parts = (note(60, 480, channel=channel) for channel in (1, 2, 4))
    found = controls(track + b"".join(parts))
    assert [one.semitones.tolist() for one in found] == [[0.5], [12], [0.5]]


def test_messages_at_one_time_count_together():
    """Else the last one glides from where the one before has jumped."""
    track = note(60, 480) + bend(8192 // 2) + control(11, 64) + control(11, 32)
    assert [at for at, *_ in changes(*controls(track))] == [0, 0.5]


def test_a_controller_is_its_channels_in_whatever_track_it_stands():
    parts = note(60, 480), note(60, 480, channel=2), note(62, 480)
    found = controls(control(7, 0, channel=2), *parts)
    assert [float(one.gain[-1]) for one in found] == [1, 0, 1]
    assert found[0] == STILL


def test_a_reset_sets_the_controllers_of_its_port_back():
    """Volume and place too, which the reset of controllers (121) leaves as they are."""
    turned = control(7, 50) + control(10, 0) + control(11, 64) + bend(4096) + note(60, 960)
    reset = number(480) + b"\xf0" + number(5) + bytes.fromhex("7e 7f 09 01 f7")
    far = b"\x00\xff\x21\x01\x01" + turned
    back, stays = controls(turned, far, reset)
    assert changes(back)[1:] == [(0.5, 1, 0, 0)]
    assert len(stays) == 1
    (alone,) = controls(turned, control(121, 0, after=480))
    assert changes(alone)[1:] == [(0.5, 0.25, -1, 0)]


def test_a_parameter_is_chosen_until_controllers_are_reset():
    chosen = control(101, 0) + control(100, 0) + control(121, 0) + control(6, 12)
    (found,) = controls(chosen + bend(4096) + note(60, 480))
    assert found.semitones.tolist() == [1]


def test_the_part_of_a_note_begins_with_what_counts_there():
    track = control(7, 50) + note(60, 480) + control(7, 25, after=480) + control(7, 0, after=480)
    (whole,) = controls(track)
    part = whole.during(0.75, 0.75)
    assert part.at.tolist() == [0, 0.25] and part.gain.tolist() == [0.25, 0.0625]
    assert whole.during(7, 1).gain.tolist() == [0]


def sounding(*tracks: bytes) -> list[np.ndarray]:
    """The sound of each track alone, at the gain of the mix."""
    performance = read_performance(midi(*tracks))
    session = Session(performance)
    return [session.stem(number) for number in range(len(performance.tracks))]


def level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.square(sound).mean()))


def test_tracks_sound_as_loud_as_they_are_turned_and_a_swell_within_a_note():
    loud, soft, silent = sounding(
        program(19) + note(60, 1920),
        program(19, 2) + control(7, 50, channel=2) + note(60, 1920, channel=2),
        program(19, 3) + control(11, 0, channel=3) + note(60, 1920, channel=3),
    )
    np.testing.assert_allclose(soft, loud / 4, atol=1e-6)
    assert level(silent) == 0
    swelling = program(19) + control(11, 40) + b"\x00\x90\x3c\x64" + control(11, 80, after=960)
    swelling += number(960) + b"\x80\x3c\x00"
    (one,) = sounding(swelling)
    early, late = (level(one[:, round(s * SAMPLE_RATE) :][:, :11_025]) for s in (0.5, 1.5))
    assert late / early == pytest.approx(4, rel=0.25)


def test_a_track_sounds_at_its_place():
    left, right = sounding(
        program(19) + control(10, 0) + note(60, 480),
        program(19, 2) + control(10, 127, channel=2) + note(60, 480, channel=2),
    )
    assert level(left[0]) > 20 * level(left[1])
    assert level(right[1]) > 20 * level(right[0])


def test_what_is_turned_with_a_note_counts_from_its_first_sample():
    """Tick 9 is between two samples, and the note starts at the first of them."""
    (left,) = sounding(program(19) + control(10, 0, after=9) + note(60, 480))
    assert level(left[0]) > 20 * level(left[1])


def test_a_bent_note_sounds_at_the_bent_pitch():
    """Up by a whole tone after a second, and back down to below the first pitch."""
    held = b"\x00\x90\x45\x64" + bend(8191, after=960) + bend(-4096, after=960)
    (sound,) = sounding(program(73) + held + number(960) + b"\x80\x45\x00")
    for second, pitch in ((0.5, 69), (1.5, 71), (2.5, 68)):
        at = round(second * SAMPLE_RATE)
        found = pitch_of(sound[:, at : at + SAMPLE_RATE // 5].mean(0), SAMPLE_RATE)
        assert found == pytest.approx(pitch, abs=0.2)
