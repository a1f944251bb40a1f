"""How long each kind of data is kept.

1. `kinds.py` names the kinds, and who counts and lets go of each: the app whose data it is.
2. `decide.py` says from which moment on data is too old, and why.
3. `rules.py` is the door of the page: what holds, and changing it.
4. `run.py` is the job: a portion after the other, each in a transaction of its own.
"""
