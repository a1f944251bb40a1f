"""The books every send is kept in: statuses move here,
and the sums beside them in the same transaction.
"""
