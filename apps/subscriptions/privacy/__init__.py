"""People fetch all that is held about them, and have themselves erased.

1. `wishes` is the page of both: it has a code mailed, and takes it.
2. `mail` writes that mail.
3. `copy` is the page where the archive waits for a day; its address is a secret of its own, given
   to whoever typed the code.
"""
