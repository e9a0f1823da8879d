"""Two downstream apps, small enough to read in one go; of idp they use only the kit, idp.resource_server."""
