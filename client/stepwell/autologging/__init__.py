"""Autologging: training calls of a library log by themselves while it is on.

    patches     methods that are replaced, and put back exactly
    guard       one outermost call logs; what it calls in turn, in whatever thread, does not
    options     what autolog was told, by library
    chance      random numbers that training would draw are left to it
    imports     what is done when a library has been imported
    calls       the run that a call logs to, what is left for later, and how a fault stays a warning
    pictures    drawn beside the training
    remembered  what is known of objects of others
    sklearn/    what is logged of scikit-learn
    boosting    of boosted trees, for xgboost and lightgbm
    keras/      of Keras, and for tensorflow, which trains by it
    pytorch/    of Lightning, and of plain loops
    fastai/     of fastai
    checkpoints what trainings leave on the way, for keras and pytorch
    flavors     stepwell.autolog(): all libraries at once, also those that are imported later

Whatever fails here is a warning: training goes on, its result and its errors are what they were.
"""
