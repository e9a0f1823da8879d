"""The identity providers we trust.

Owns the upstreams, the pending logins (state, nonce, PKCE) and the one protocol-independent flow;
turns an answer from outside into an Assertion. Leaves finding or linking the account to accounts.
"""
