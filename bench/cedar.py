"""cedarpy beside us: the same crowd, policies and entities parsed once and held in memory, in a process of its own.

    python -m bench.cedar [GRANTS]

One policy; a person is an entity whose tags are what they were given and what is paused, each with its dates. Prints
one line of JSON: microseconds of CPU a decision, MiB held, seconds to load. Every answer is compared with the rule.
"""

import ctypes
import gc
import json
import random
import statistics
import sys
import time
from pathlib import Path

import cedarpy

from bench.crowd import KEYS, PLACES, Crowd, account, provider

POLICY = """
permit(principal, action == Action::"use", resource) when {
  principal.hasTag(context.given) && principal.getTag(context.given).starts <= context.now
  && context.now < principal.getTag(context.given).ends && !principal.hasTag(context.paused)
};
"""
NEVER = 2**62
ROUNDS, BLOCK = 2000, 40


def _entity(crowd: Crowd, person: int) -> dict[str, object]:
    tags: dict[str, dict[str, int]] = {}
    for place, key, effect, starts, ends in crowd.grants(person):
        name = f"{'given' if effect == 'allow' else 'paused'} {provider(person, place)} {key}"
        until = ends or NEVER
        if effect == "deny" and until <= crowd.at:
            continue  # a pause that is over pauses nothing
        tags[name] = {"starts": starts, "ends": max(until, tags.get(name, {"ends": 0})["ends"])}
    return {"uid": {"type": "User", "id": account(person)}, "attrs": {}, "parents": [], "tags": tags}


def measure(size: int) -> dict[str, float]:
    """Load a crowd of so many grants and return what a decision costs."""
    crowd = Crowd(size)
    before, began = _held(), time.process_time()
    policies = cedarpy.PolicySet.from_str(POLICY)
    entities = cedarpy.Entities.from_json_str(json.dumps([_entity(crowd, person) for person in range(crowd.people)]))
    loaded = time.process_time() - began
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    held = _held() - before
    pick = random.Random(size)  # noqa: S311 - whom to ask about
    took = []
    for _ in range(ROUNDS // BLOCK):
        asked = [(pick.randrange(crowd.people), pick.randrange(PLACES), pick.choice(KEYS)) for _ in range(BLOCK)]
        requests = [_request(crowd, *one) for one in asked]
        began_ns = time.thread_time_ns()
        answers = [bool(cedarpy.is_authorized(one, policies, entities).allowed) for one in requests]
        took.append((time.thread_time_ns() - began_ns) / BLOCK / 1000)
        for one, allowed in zip(asked, answers, strict=True):
            if allowed != crowd.allows(one):
                sys.exit(f"wrong answer: {one} {allowed}")
    return {"decision": statistics.quantiles(took, n=10)[0], "held": held, "load": loaded}


def _request(crowd: Crowd, person: int, place: int, key: str) -> dict[str, object]:
    where = provider(person, place)
    return {
        "principal": {"type": "User", "id": account(person)},
        "action": {"type": "Action", "id": "use"},
        "resource": {"type": "Provider", "id": where},
        "context": {"given": f"given {where} {key}", "paused": f"paused {where} {key}", "now": crowd.at},
    }


def _held() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)) + "\n")
