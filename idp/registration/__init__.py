"""From stranger to active: invitations, attestation and the routes of registration."""
