"""Fields of the page as numbers and names, with sentences for what they cannot be."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from core.config import MAX_SEED
from core.errors import ConfigError

PICKUP, MOST_PICKUP = "Quarter notes before the first bar", 16
"""The field of a song's pickup, and its largest value."""


def optional_number(name: str, text: str | None, least: float, most: float) -> float | None:
    """Read a number that can be left out; `ConfigError` for what is none, or out of its range.

    >>> optional_number("tempo", " 96,5 ", 10, 400), optional_number("tempo", "", 10, 400)
    (96.5, None)
    """
    if not text or not text.strip():
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise ConfigError(f"{name}: give a number, or leave it empty, not '{text}'") from None
    return number(name, value, least, most)


def number(name: str, value: float | None, least: float, most: float) -> float:
    """Return a number within its range; `ConfigError` for another."""
    if not isinstance(value, int | float):
        raise ConfigError(f"{name}: give a number from {least:g} to {most:g}")
    if not least <= value <= most:
        shown = " to ".join(_digits(bound) for bound in (least, most))
        raise ConfigError(f"{name}: {shown}, not {_digits(value)}")
    return value


def _digits(value: float) -> str:
    """Return a number with all digits of a whole one, as the largest seed."""
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def whole(name: str, value: float | None, least: int, most: int) -> int:
    """Return a whole number within its range; `ConfigError` for another.

    >>> whole("frames", 300.0, 1, 256)
    Traceback (most recent call last):
    core.errors.ConfigError: frames: 1 to 256, not 300
    """
    found = number(name, value, least, most)
    if found != int(found):
        raise ConfigError(f"{name}: a whole number, not {found:g}")
    return int(found)


def optional_whole(name: str, text: str | None, least: int, most: int) -> int | None:
    """Read a whole number that can be left out; `ConfigError` for what is none, or out of range.

    >>> optional_whole("frames", " 16 ", 1, 256), optional_whole("frames", "", 1, 256)
    (16, None)
    """
    found = optional_number(name, text, least, most)
    return None if found is None else whole(name, found, least, most)


def seeds(first: float | None, count: int) -> range:
    """Return `count` successive seeds; `ConfigError` for what is no seed."""
    begin = whole("seed", first, 0, MAX_SEED - count)
    return range(begin, begin + count)


def offer(choices: Sequence[str], current: str | None) -> Any:
    """Return the update of a field that offers choices; what is chosen stays where it can."""
    if current in choices:
        return gr.update(choices=list(choices))
    return gr.update(choices=list(choices), value=next(iter(choices), None))


def whole_field(label: str, value: int, **more: Any) -> gr.Number:
    """Return a field for a whole number; whoever reads it says which there can be."""
    return gr.Number(value, label=label, precision=0, min_width=80, **more)


def pickup_field(**more: Any) -> gr.Number:
    """Return a field for a pickup; `pickup_beats` reads it."""
    return gr.Number(0, label=PICKUP, min_width=80, **more)


def pickup_beats(value: float | None) -> float:
    """Return the quarter notes of a pickup; `ConfigError` for what is none."""
    return number(PICKUP.lower(), value, 0, MOST_PICKUP)


def text_field(label: str, placeholder: str, **more: Any) -> gr.Textbox:
    """Return a field for a line of text, or for a number that can be left out."""
    return gr.Textbox("", label=label, placeholder=placeholder, max_lines=1, min_width=80, **more)
