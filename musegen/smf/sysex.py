"""The system exclusive messages that are followed."""

import re

STANDARDS = {
    "GM": re.compile(rb"\x7e.\x09\x01", re.DOTALL),
    "GM2": re.compile(rb"\x7e.\x09\x03", re.DOTALL),
    "GS": re.compile(rb"\x41.\x42\x12(\x40\x00\x7f\x00|\x00\x00\x7f[\x00\x01])", re.DOTALL),
    "XG": re.compile(rb"\x43.\x4c\x00\x00[\x7e\x7f]\x00", re.DOTALL),
}
"""The sysex messages that switch a standard on, or set all that it has back."""

RESETS = re.compile(b"|".join(one.pattern for one in STANDARDS.values()), re.DOTALL)
"""Those of any standard."""

GS_PART = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x15(.)", re.DOTALL)
XG_PART = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x07(.)", re.DOTALL)
"""Use part N for rhythm: 0 is melodic, other numbers are drum sets. Each 16 parts of XG are of a
port."""

GS_PROGRAM = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x00.(.)", re.DOTALL)
XG_PROGRAM = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x03(.)", re.DOTALL)
XG_BANK = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x01(.)", re.DOTALL)
"""Set the program of part N, in GS after its bank; and its bank."""

GS_SHIFT = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x16(.)", re.DOTALL)
XG_SHIFT = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x08(.)", re.DOTALL)
MASTER_SHIFT = re.compile(
    rb"(?:\x41.\x42\x12\x40\x00\x05|\x43[\x10-\x1f]\x4c\x00\x00\x06|\x7f.\x04\x04.)(.)",
    re.DOTALL,
)
"""Shift the keys of part N, or of all parts of a port, by semitones above 64; the last one of any
standard."""

GS_RANGE = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x20-\x2f])\x10(.)", re.DOTALL)
XG_RANGE = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x23(.)", re.DOTALL)
"""Set the range of bends of part N, in semitones above 64."""

GS_LEVEL = re.compile(rb"\x41.\x42\x12([\x40\x50])([\x10-\x1f])\x19(.)", re.DOTALL)
XG_LEVEL = re.compile(rb"\x43[\x10-\x1f]\x4c\x08()([\x00-\x3f])\x0b(.)", re.DOTALL)
"""Set the volume of part N, which the control change of its channel sets too."""

FOLLOWED = re.compile(
    b"|".join(
        one.pattern
        for one in (
            *(RESETS, GS_PART, XG_PART, GS_PROGRAM, XG_PROGRAM, XG_BANK),
            *(GS_SHIFT, XG_SHIFT, MASTER_SHIFT, GS_RANGE, XG_RANGE, GS_LEVEL, XG_LEVEL),
        )
    ),
    re.DOTALL,
)
"""The sysex messages that are followed: others pass."""

LONGEST = 16
"""More bytes than any of these messages has."""
