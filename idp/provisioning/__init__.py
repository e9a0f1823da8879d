"""People an affiliate tells us about before they come, and when they go (SCIM 2.0, RFC 7643 and 7644).

A partner creates, changes and deactivates its own people here, and only those. A record grants nothing and is
never matched with an account by e-mail: it meets a login only where the login's subject at one of that partner's
upstreams is the record's `externalId`. A person who is not active cannot sign in through that partner, and what
such a sign-in opened has ended. The account behind it, its other logins and its grants are left to whoever
holds authority over them.
"""
