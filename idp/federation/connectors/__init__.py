"""One file per protocol; each module is found by its name, which is the upstream's kind."""


def kinds() -> list[str]:
    """Return the protocols we speak: the modules here."""
    from pkgutil import iter_modules

    return sorted(module.name for module in iter_modules(__path__))
