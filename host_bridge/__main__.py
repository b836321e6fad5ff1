"""`python -m host_bridge` is `zerostem`, for whoever has the interpreter but not the command on the path."""

import sys

from host_bridge.cli import main

sys.exit(main())
