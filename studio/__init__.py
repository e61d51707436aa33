"""The studio: a web page over the Python API, to hear, see and steer what models make.

page, server, theme     the page, who may enter it, and how it looks
folder, uploads         what is made and what is dropped, on disk
child, following        work that lasts: in a process, in a thread
rooms, components       what is shown
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported
