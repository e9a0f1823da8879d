"""A person's own pages (RU-4, RU-5, RU-7, RU-9): access, logins, second steps, activity, notices, leaving."""
