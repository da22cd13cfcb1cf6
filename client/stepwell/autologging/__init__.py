"""Autologging: training calls of a library log by themselves while it is on.

    patches     methods that are replaced, and put back exactly
    guard       one outermost call logs; what it calls in turn, in whatever thread, does not
    options     what autolog was told, by library
    calls       the run that a call logs to, and how a fault stays a warning
    sklearn/    what is logged of scikit-learn
    flavors     stepwell.autolog(): all libraries at once, also those that are imported later

Whatever fails here is a warning: training goes on, its result and its errors are what they were.
"""
