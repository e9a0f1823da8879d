"""What the insurer decides for everybody: functions and jobs with versions, duties, what an organisation may hold.

Every change is previewed as who gains and who loses, takes effect on a day (functions.py, bundles.py) and is recorded.
What a practice's managers do within it is left to `wam`, what a decision makes of it to `entitlements`.
"""
