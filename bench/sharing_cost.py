"""Feed a million events to the sharing detector: is the cost flat? `python -m bench.sharing_cost [events]`."""

import sys
import time

from idp.sharing.detector import Detector
from idp.sharing.simulator.parameters import FIT, world
from idp.sharing.simulator.world import World

PART = 100_000


def main() -> None:
    """Print the CPU time of each 100,000 events, and the memory kept."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    made = World(world(FIT[0], seed=1, accounts=120, days=730))
    detector, part, spent, count = Detector(), [], 0.0, 0
    for event in made.events():
        part.append(event)
        if len(part) < PART:
            continue
        began = time.process_time()
        for one in part:
            detector.feed(one)
        spent = time.process_time() - began
        count += len(part)
        part.clear()
        size = len(detector.kept()) / len(detector.memory.accounts) / 1024
        print(f"{count:>9,} events: {spent / PART * 1e6:6.1f} µs each, {size:6.1f} KiB an account")
        if count >= wanted:
            return


if __name__ == "__main__":
    main()
