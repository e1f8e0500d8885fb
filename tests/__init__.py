"""Everything that tests: doctors of the cast are no newcomers, but where that is looked at."""

import os

os.environ.setdefault("LOUNGE_NEWCOMER_HOURS", "0")
