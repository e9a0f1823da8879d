"""Configuration as code: one file describes clients, upstreams, organisations, people and grants.

`source` reads YAML or TOML and knows each field's line, `schema` says what may stand there, `sections` bring the
database to what the file says through the domain's own functions, `difference` tells what that changed,
`export` writes what apply reads. Entries are found again by their `ref`; what a file does not name is
not touched, and nothing is removed by leaving it out.
"""
