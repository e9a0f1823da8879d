"""SAML 2.0 upstreams: we are the service provider of the Web Browser SSO and Single Logout profiles.

Owns everything that knows XML: nothing outside this package imports lxml, signxml or xmlsec, and nothing imports this
package before a SAML upstream is used. signxml verifies, xmlsec decrypts; what is then believed is the signed subtree
alone, read again from its own canonical bytes. Leaves state, single use and browser binding to `idp.federation.flow`.
"""

from idp.federation.connectors.saml.connector import Saml

__all__ = ["Saml"]
