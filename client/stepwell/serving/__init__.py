"""A server of one model, by MLflow's scoring protocol.

process       workers, and what they are told
app           routes, limits, time-outs
served        the model that answers now; its next version, without a request dropped
scoring       one request: parse, predict, answer
answers       what a model gives, as JSON
environments  an environment with what the model needs
"""
