"""The theory: two passes through four networks. Knows no domain."""

import os
import sys

if sys.platform == "win32":
    raise ImportError(
        "Windows is not supported by itself: install pianoreel in WSL, the Windows Subsystem for "
        "Linux, by wsl --install in PowerShell"
    )
# Torch reads it once, as it loads: what Apple's GPU does not compute, the processor does.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
