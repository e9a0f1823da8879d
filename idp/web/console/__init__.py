"""The JSON API of the access manager's console, `/api/v1`: the same acts as the pages, by the same domain functions.

The caller is a person with an access token of scope `wam`; whether they may is decided anew at each request, with the
strength of their session. Changes carry an Idempotency-Key. What it offers is described at `/api/v1/openapi.json`.
"""
