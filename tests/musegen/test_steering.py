"""Steering: keys and the settings of a sample."""

from typing import Any

import pytest

from core.errors import ConfigError
from musegen.steering import Steering, density_of, section_bars
from musegen.tonality import Key, Mode


@pytest.mark.parametrize(
    ("text", "tonic", "mode"),
    [
        ("A minor", 9, "minor"),
        ("Am", 9, "minor"),
        ("F# major", 6, "major"),
        ("Bb", 10, "major"),
        ("cb", 11, "major"),
        ("B\N{MUSIC FLAT SIGN} minor", 10, "minor"),
        ("C\N{MUSIC SHARP SIGN}m", 1, "minor"),
        ("  e min ", 4, "minor"),
    ],
)
def test_keys_are_read_as_musicians_write_them(text: str, tonic: int, mode: Mode) -> None:
    assert Key.parse(text) == Key(tonic=tonic, mode=mode)


@pytest.mark.parametrize("text", ["", "H minor", "A dorian", "A## major", "minor"])
def test_another_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match='is no key: give one as "A minor"'):
        Key.parse(text)


def test_a_key_may_be_a_text() -> None:
    a_minor: Any = "A minor"
    assert Steering(key=a_minor).key == Key(tonic=9, mode="minor")
    with pytest.raises(ConfigError, match="'H' is no key"):
        Steering().replace(key="H")


def test_relative_keys_have_the_same_scale() -> None:
    g_major = Key.parse("G").scale
    assert [number for number, used in enumerate(g_major) if used] == [0, 2, 4, 6, 7, 9, 11]
    assert (Key.parse("E minor").scale == g_major).all()


def test_used_settings_are_those_that_change_what_the_model_does() -> None:
    assert not Steering(scale_strength=0.5).used
    steering = Steering(temperature=1.0, density=1.5, key=Key.parse("D"), form="AB")
    assert steering.used == {"temperature", "density", "key", "form"}


def test_settings_are_named_as_a_user_writes_them() -> None:
    assert Steering(scale_strength=0.5).named == {}
    assert Steering(density=1.5, top_p=0.9).named == {"density": 1.5, "top_p": 0.9}
    named = Steering(key=Key.parse("Em"), scale_strength=0.5).named
    assert named == {"key": "E minor", "scale_strength": 0.5}


def test_a_density_is_a_name_or_a_number_in_its_range() -> None:
    assert [density_of(text) for text in ("low", "high", "0.25", "4")] == [0.6, 1.6, 0.25, 4]
    for text, words in (
        ("hihg", "no density is called 'hihg'.*high"),
        ("0.2", "density is 0.25 to 4, not 0.2"),
        ("4.1", "density is 0.25 to 4, not 4.1"),
        ("nan", "density is 0.25 to 4, not nan"),
    ):
        with pytest.raises(ConfigError, match=words):
            density_of(text)


@pytest.mark.parametrize(("form", "bars"), [("AABA", 10), ("ABC", 2), ("A-B", 6), ("", 4)])
def test_a_form_has_sections_of_whole_bars(form: str, bars: int) -> None:
    with pytest.raises(ConfigError, match="--bars" if form.isalpha() else "is no form"):
        section_bars(form, bars)
