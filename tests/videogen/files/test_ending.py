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
GIF = b"GIF89a" + bytes(4) + b"\x80\0\0" + bytes(6)
"""The head of a GIF of two colours."""
FLASH = b"FLV\1\1" + (9).to_bytes(4, "big") + bytes(4)
KEY = bytes.fromhex("060e2b34") + bytes(12)
PAGE = b"OggS" + bytes(22)
"""A page of Ogg, up to the number of its parts."""


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
        GIF + b"!\xf9\4" + bytes(5) + b"," + bytes(9) + b"\2\3abc\4abcd\0",
        GIF + b"," + bytes(8) + b"\x80" + bytes(6) + b"\2\x09abcdefghi\0",
        FLASH + b"\x12\0\0\1" + bytes(12) + b"\x09\0\0\2" + bytes(9),
        KEY + b"\x02ab" + KEY + b"\x83\0\0\x10" + bytes(16),
        b"YUV4MPEG2 W3 H3 F25:1\n" + 2 * (b"FRAME\n" + bytes(9 + 2 * 4)),
        b"YUV4MPEG2 W3 H3 C422p10 Ip\n" + b"FRAME Ip\n" + bytes(2 * (9 + 2 * 6)),
        PAGE + b"\1\x02ab" + PAGE + b"\2\5\4abcdeabcd",
        b"\x89PNG\r\n\x1a\n\0\0\0\5fdATabcde" + bytes(8) + b"IEND" + bytes(4),
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
        GIF + b"," + bytes(9) + b"\2\3abc;",
        FLASH + b"\xff\0\0\x40",
        KEY + b"\x80" + bytes(3),
        b"YUV4MPEG2 W3 H3 Cxyz\nFRAME\n" + bytes(3),
        b"YUV4MPEG2 Wide\nFRAME\n",
        b"",
    ],
)
def test_a_container_without_a_length_says_nothing(live: bytes):
    assert not ends_early(io.BytesIO(live))


@pytest.mark.parametrize(("packet", "first"), [(188, 0), (192, 4)])
def test_a_transport_stream_has_whole_packets(packet: int, first: int):
    whole = 5 * (bytes(first) + b"G" + bytes(packet - first - 1))
    assert not ends_early(io.BytesIO(whole))
    assert ends_early(io.BytesIO(whole[:-1]))
    assert ends_early(io.BytesIO(whole + bytes(1)))


@pytest.mark.parametrize(("flags", "length"), [(0x3F, 120_000), (0xBF, 144_000)])
def test_a_tape_has_whole_pictures(flags: int, length: int):
    whole = b"\x1f\7\0" + bytes([flags]) + bytes(2 * length - 4)
    assert not ends_early(io.BytesIO(whole))
    assert ends_early(io.BytesIO(whole[:-80]))
