"""Steering: keys and the settings of a sample."""

import pytest

from core.errors import ConfigError
from musegen.steering import Steering
from musegen.tonality import Key, Mode


@pytest.mark.parametrize(
    ("text", "tonic", "mode"),
    [
        ("A minor", 9, "minor"),
        ("Am", 9, "minor"),
        ("F# major", 6, "major"),
        ("Bb", 10, "major"),
        ("cb", 11, "major"),
        ("  e min ", 4, "minor"),
    ],
)
def test_keys_are_read_as_musicians_write_them(text: str, tonic: int, mode: Mode) -> None:
    assert Key.parse(text) == Key(tonic=tonic, mode=mode)


@pytest.mark.parametrize("text", ["", "H minor", "A dorian", "A## major", "minor"])
def test_another_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match='is no key: give one as "A minor"'):
        Key.parse(text)


def test_relative_keys_have_the_same_scale() -> None:
    g_major = Key.parse("G").scale
    assert [number for number, used in enumerate(g_major) if used] == [0, 2, 4, 6, 7, 9, 11]
    assert (Key.parse("E minor").scale == g_major).all()


def test_used_settings_are_those_that_change_what_the_model_does() -> None:
    assert not Steering(scale_strength=0.5).used
    steering = Steering(temperature=1.0, density=1.5, key=Key.parse("D"), form="AB")
    assert steering.used == {"temperature", "density", "key", "form"}
