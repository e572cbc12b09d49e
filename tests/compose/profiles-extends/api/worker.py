from __future__ import annotations

import sys

sys.stdout.write("working\n")
