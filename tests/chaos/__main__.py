"""`make chaos`: inject faults for some minutes, check every answer, print the figures."""

import argparse
import random
import sys
from collections import Counter

from tests.chaos.storm import storm


def main() -> int:
    """Run one storm; return 1 if any answer was false."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="decides what goes wrong when")
    parser.add_argument("--operations", type=int, default=20_000, help="requests to be answered (default: 20,000)")
    parser.add_argument(
        "--longest", type=float, default=1200, help="seconds after which it ends anyway (default: 1200)"
    )
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    outcome = storm(options.seed, options.operations, options.longest)
    observed = outcome.observed
    print(f"{observed.operations} requests in {outcome.seconds:.0f} s; {len(observed.history)} operations judged")
    print(f"{outcome.archived} changes are in the archive; {outcome.notices} notices were recorded")
    print("answers:", ", ".join(f"{count} {code}" for code, count in observed.answers.most_common()))
    print("events:", ", ".join(f"{count} x {name}" for name, count in Counter(outcome.events.seen).most_common()))
    print(f"a cluster was lent again {outcome.slowest_return:.1f} s after the API server's return, at worst")
    print(f"takes whose callers were left without an answer: {len(observed.unknown_takes)}")
    print("\n".join(outcome.problems) or "nothing doubled, nothing lost, no caller stuck")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
