"""OpenID Connect upstreams: we are the relying party of the code flow, and end sessions by logout tokens.

`connector.py` asks and fetches, `tokens.py` decides what is believed. Leaves state, single use and browser binding to
`idp.federation.flow`.
"""

from idp.federation.connectors.oidc.connector import Oidc

__all__ = ["Oidc"]
