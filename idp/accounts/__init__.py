"""One person, one account, many credentials.

Owns accounts, logins, passwords, second factors, sessions, terms acceptance and attestations.
Leaves protocols to federation and oauth, and what a person may do to entitlements.
"""
