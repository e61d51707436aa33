"""A file ends early where it is shorter than its container says; live ones say nothing."""

import io

import pytest

from videogen.files.ending import ends_early

HEAD = b"\x1a\x45\xdf\xa3\x84abcd"
"""The first element of Matroska, with four bytes."""
SEGMENT = b"\x18\x53\x80\x67"
BOX = b"\0\0\0\x0cftypabcd"
PACK = b"\0\0\1\xba\x44" + bytes(8) + b"\xf8"
PACKET = b"\0\0\1\xe0\0\x14" + bytes(20)
INDEX = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
OBJECT = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + (24).to_bytes(8, "little")


@pytest.mark.parametrize(
    "whole",
    [
        HEAD + SEGMENT + b"\x90" + bytes(16),
        HEAD + SEGMENT + b"\x40\x10" + bytes(16),
        b"RIFF" + (20).to_bytes(4, "little") + b"AVI " + bytes(16),
        BOX + b"\0\0\0\x18mdat" + bytes(16),
        BOX + b"\0\0\0\x01mdat" + (32).to_bytes(8, "big") + bytes(16),
        OBJECT + INDEX + (40).to_bytes(8, "little") + bytes(16),
        PACK + PACKET,
        PACK + PACKET + PACK + PACKET,
    ],
)
def test_a_byte_less_than_promised_is_too_few(whole: bytes):
    assert not ends_early(io.BytesIO(whole))
    assert not ends_early(io.BytesIO(whole + bytes(40))), "what follows the container is no harm"
    for missing in (1, 9):
        assert ends_early(io.BytesIO(whole[:-missing]))


@pytest.mark.parametrize(
    "live",
    [
        HEAD + SEGMENT + b"\xff" + bytes(3),
        HEAD + SEGMENT + b"\x01" + 7 * b"\xff" + bytes(3),
        b"RIFF" + bytes(4) + b"AVI " + bytes(3),
        b"RIFF" + 4 * b"\xff" + b"AVI " + bytes(3),
        BOX + b"\0\0\0\0mdat" + bytes(3),
        BOX + b"\xff\xff\xff\xffSEFT",
        OBJECT + INDEX + bytes(11),
        PACK + PACKET + b"\0\0\1\xb9",
        PACK + b"\0\0\1\xe0\0\0" + bytes(3),
        b"GIF89a",
        b"",
    ],
)
def test_a_container_without_a_length_says_nothing(live: bytes):
    assert not ends_early(io.BytesIO(live))
