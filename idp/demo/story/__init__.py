"""The main job, played against running servers with a real HTTP client and told step by step.

`browser` is a small user agent (cookies, forms, redirects), `telling` prints what was sent and answered with secrets
shortened, `stage` holds who takes part, `scenes` are the five steps, `other_app` and `past` what
stands beside them, `run` is `idp story`.
"""
