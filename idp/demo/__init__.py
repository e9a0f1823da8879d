"""One small believable world, and the story that is played in it: README, tests and screenshots use both.

`world/` holds the two applied files, `places` says where everything lies and listens, `filling` brings the two
databases to the world, `processes` starts and stops the four servers, `run` is `idp demo`, `story/` is `idp story`.
"""
