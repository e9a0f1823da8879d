"""Keep Python's garbage collector away while a worker is built; imported first by idp/cli/serving.py.

A start makes about a million objects that all live until the end. Walking them again and again costs a tenth
of the start, and walking them later costs every request a little.
"""

import gc

gc.disable()


def settle(*, built: bool) -> None:
    """Let the collector work from here on; what a worker is `built` of it leaves alone."""
    if built:
        gc.freeze()
    gc.enable()
