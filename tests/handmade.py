"""MIDI files made by hand, byte by byte."""

import struct

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    """A number of 7 bits a byte, as time steps are written."""
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(value & 0x7F | 0x80)
    return bytes(encoded[::-1])


def note(pitch: int, length: int, after: int = 0, channel: int = 1, velocity: int = 100) -> bytes:
    """A note of `length` ticks that starts `after` ticks after the event before."""
    on, off = 0x90 + channel - 1, 0x80 + channel - 1
    return number(after) + bytes([on, pitch, velocity]) + number(length) + bytes([off, pitch, 0])


def program(value: int, channel: int = 1) -> bytes:
    return bytes([0, 0xC0 + channel - 1, value])


def control(kind: int, value: int, after: int = 0, channel: int = 1) -> bytes:
    return number(after) + bytes([0xB0 + channel - 1, kind, value])


def bend(value: int, after: int = 0, channel: int = 1) -> bytes:
    """A bend of -8192 to 8191."""
    value += 8192
    return number(after) + bytes([0xE0 + channel - 1, value & 0x7F, value >> 7])


def meta(kind: int, data: bytes, after: int = 0) -> bytes:
    return number(after) + bytes([0xFF, kind]) + number(len(data)) + data


def name(text: str) -> bytes:
    return meta(0x03, text.encode())


def tempo(microseconds: int, after: int = 0) -> bytes:
    return meta(0x51, microseconds.to_bytes(3, "big"), after)


def signature(numerator: int, power_of_two: int, after: int = 0) -> bytes:
    return meta(0x58, bytes([numerator, power_of_two, 24, 8]), after)


def midi(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    """A file of tracks, each ended."""
    chunks = [b"MTrk" + struct.pack(">I", len(t + END)) + t + END for t in tracks]
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division) + b"".join(chunks)
