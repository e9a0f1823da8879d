"""Ask a running service whether it is well; imports next to nothing, for a container asks every few seconds."""

import urllib.request

from idp.settings import Settings


def healthy(settings: Settings) -> bool:
    """Ask /healthz of the service on this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    request = urllib.request.Request(f"http://{host}:{settings.port}/healthz", headers={"Host": settings.origin_host})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False
