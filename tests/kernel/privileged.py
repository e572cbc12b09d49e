"""The command line, on an engine that refuses the cell's list of capabilities: the cell must then be privileged."""

from __future__ import annotations

import sys

from cleanroom.cli.main import main
from cleanroom.engine import cell

# The engine itself refuses this name, as an older one does that does not know one of ours.
cell.CAPABILITIES = (*cell.CAPABILITIES, "CAP_OF_NO_KERNEL")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
