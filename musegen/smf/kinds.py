"""The numbers of the kinds of events in a Standard MIDI File."""

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, PITCH_BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
"""Statuses, those of channels without the number of one."""

PARAMETER_LOW = 100
"""The control change that chooses the registered parameter of a low number."""

TEXT, NAME, INSTRUMENT, LYRIC, MARKER, CUE, DEVICE = 0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09
CHANNEL_PREFIX, PORT, END_OF_TRACK = 0x20, 0x21, 0x2F
TEMPO, SIGNATURE, OF_A_PROGRAM = 0x51, 0x58, 0x7F
"""Kinds of meta events."""

END = b"\x7dpianoreel: end"
"""An event of our own, which others pass over: the end of a song that ends in silence."""
