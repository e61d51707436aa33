"""Networks of clips and captions."""
