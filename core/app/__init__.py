"""The applications of a domain: its commands and all that they share."""
