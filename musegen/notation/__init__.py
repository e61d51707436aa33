"""Notation: MusicXML, the files of programs for scores, read and written through music21.

music21 knows no drum kit in which each drum has a sound of its own. So drums pass through it as
pitches: a kit's `unpitched` notes are given the pitch of their drum before music21 reads them, and
lose it after music21 has written them.
"""
