"""The commands of video: prepare, train, sample, evaluate.

Each imports what it needs inside itself, so that --help is quick.
"""

import typer

video = typer.Typer(help="Clips: prepare, train, sample, evaluate.", no_args_is_help=True)
