"""The laws share toys: modules beside the tests, which spawned workers import too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
