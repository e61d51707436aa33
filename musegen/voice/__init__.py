"""The sound of notes: x is a spectrogram, `batch quantity frame row`, c is a pitch."""
