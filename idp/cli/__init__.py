"""The command line: `idp` and `python -m idp`.

Mistakes of a person are told in a sentence on the error stream, never as a traceback. Exit status: 0 done,
1 refused or something found wrong, 2 the command was not understood, 3 the environment is not configured.
"""

import sys


def main() -> None:
    """Run the command line."""
    from idp.cli.app import app
    from idp.cli.failing import told

    with told():
        app(prog_name="idp")
    sys.exit(0)
