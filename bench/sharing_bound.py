"""How soon could planted sharing be found at all? `python -m bench.sharing_bound [accounts [days [seeds]]]`.

Only what was planted is looked at, no events and no detector. An oracle that knows whose hands are whose cannot find
sharing before it happens: told are the days after which a first, second ... day was shared. And which of it leaves
nothing but times of day to go by: the other does the same work, with codes as quick as the person's own (or none), at a
computer that is nobody else's, in the same city, while the person is not on leave.
"""

import sys
from random import Random
from statistics import median

from bench.sharing import FIRST_SEED
from idp.sharing.simulator.parameters import JUDGE, world
from idp.sharing.simulator.sharers import Sharer, shares
from idp.sharing.simulator.world import World

MOST = 5


def hidden(sharer: Sharer, made: World) -> bool:
    """Say whether times of day are all that could tell the hands apart."""
    person = sharer.person
    device, mix, network = sharer.hands[0]
    return not (
        sharer.pattern in ("office", "leave")
        or network
        or (person.code and sharer.relayed)
        or mix.keys() != person.mix.keys()
        or any(device in one.desks for one in made.people)
    )


def main() -> None:
    """Plant and count."""
    given = [int(value) for value in sys.argv[1:]]
    accounts, days, seeds = (given + [160, 60, 3][len(given) :])[:3]
    reached: dict[int, list[int]] = {count: [] for count in range(1, MOST + 1)}
    planted = unseen = 0
    for family in JUDGE.values():
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            made = World(world(family, seed=seed, accounts=accounts, days=days))
            for sharer in (one for one in made.sharers if one.lasting):
                planted += 1
                unseen += hidden(sharer, made)
                on = [
                    day - sharer.begins + 1
                    for day in range(days)
                    if shares(sharer, day, Random(f"{seed} s{sharer.person.account} {day}"))  # noqa: S311
                ]
                for count, after in reached.items():
                    after.extend(on[count - 1 : count])
    print("| shared on so many days | of the planted | after days (median) |\n|---|---|---|")
    for count, after in reached.items():
        print(f"| {count} | {len(after) / planted:.2f} | {median(after):.0f} |")
    print(f"\nOf {planted} planted, {unseen} ({unseen / planted:.2f}) leave nothing but times of day.")


if __name__ == "__main__":
    main()
