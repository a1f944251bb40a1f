"""The queue is a wake-up call: `announce` says that there is work;
the truth about the work is in our own tables.
"""
