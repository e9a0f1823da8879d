"""One person with two accounts, two people in one: merge, split, and the undoing of links (invariant 1).

Owns what crosses logins, grants and sessions at once. Leaves adding and removing one login to accounts.linking.
"""
