"""Called as `python -m idp`."""

from idp.cli import main

main()
