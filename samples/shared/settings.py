"""A sample app's settings, from the environment."""

import os
from pathlib import Path

from idp.resource_server.portal import PortalSettings


def read(name: str, *, line: str) -> PortalSettings:
    """Read APP_ISSUER, APP_ORIGIN, APP_CLIENT_ID and APP_CLIENT_SECRET_FILE; the audience is the origin."""
    origin = os.environ["APP_ORIGIN"]
    return PortalSettings(
        issuer=os.environ["APP_ISSUER"],
        client_id=os.environ["APP_CLIENT_ID"],
        client_secret=Path(os.environ["APP_CLIENT_SECRET_FILE"]).read_text(encoding="utf-8").strip(),
        origin=origin,
        resource=origin,
        line=line,
        cookie=name,
    )
