"""What a downstream app imports: sign people in, verify tokens, ask for decisions, hear revocations.

It imports nothing else of idp, so an app carries none of the server. Start with `portal.Portal`, which joins
the parts; each part also stands alone: `verify` (tokens, offline), `issuer` (discovery and keys), `decisions`
(may this person do this?), `revocations` (what was taken away), `login` (authorization code with PKCE),
`guards` (FastAPI dependencies). What it leaves to the app: pages, data, and where to keep its own sessions.
"""
