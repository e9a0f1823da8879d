"""The OAuth 2.0 authorization server and OpenID provider that we are.

Owns clients, codes, token families, signing keys and the steps of an authorization request. Leaves
who a person is to accounts, and what they may do to entitlements.
"""
