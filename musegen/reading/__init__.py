"""Reading: a MIDI file as a score in ticks, and the score as a song on a grid."""
