"""Everything that knows HTTP: pages, consoles and the machines' fast lane.

Routes are a few lines each: they ask a guard who is there, call one domain function and choose a
form for the answer. No rule of the domain lives here.
"""
