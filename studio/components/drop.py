"""A place of the page to drop files and folders on; see `studio.uploads` for where they go."""

from pathlib import Path

import gradio as gr

SCRIPT = Path(__file__).with_name("drop.js")
TEMPLATE = '<div class="drop"></div>'


def drop_zone() -> gr.HTML:
    """Return the component; its value is {batch, files}."""
    return gr.HTML(
        {"batch": "", "files": 0},
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="drop",
    )
