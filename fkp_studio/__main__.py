"""Entry point of `python -m fkp_studio`."""

from __future__ import annotations

import sys

from fkp_studio.app import main

if __name__ == "__main__":
    sys.exit(main())
