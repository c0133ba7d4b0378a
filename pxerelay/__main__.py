"""`python -m pxerelay`."""

import sys

from pxerelay.cli import main

sys.exit(main())
