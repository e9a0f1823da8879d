"""The command line: serve, migrate, bootstrap, apply, export, keys, audit, doctor, demo, story."""


def main() -> None:
    """Run the command line."""
