"""May this person do this, for this provider, now?

Owns the catalogue, bundles, grants, appointments and the decision. Grants are never edited: they
are ended and replaced.
"""
