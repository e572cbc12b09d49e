#!/opt/cleanroom/bin/python -I
"""The image's second entry point: the action's post stage, which the runner starts in a container of its own."""

from __future__ import annotations

import sys

from cleanroom.action.post import main

if __name__ == "__main__":
    sys.exit(main())
