"""The token status list (draft-ietf-oauth-status-list): public, signed bits that say which tokens were revoked.

For apps that registered for it (`token_status_list`): their access tokens carry the list's address and a place in it.
Places are leased to a worker by the block (`allotment.py`), in an order nobody can guess (`order.py`); a person's
token leaves one row beside those it leaves anyway, a service's none. Whoever asks for the list first after something
was taken away marks what that concerns (`marking.py`), by the judgement introspection gives (`oauth/liveness.py`);
`publishing.py` packs the bits (`encoding.py`) and signs them. What a list is for, and what not: docs/decisions/0027.
"""
