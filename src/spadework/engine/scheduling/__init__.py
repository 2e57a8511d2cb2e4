"""Scheduling of requests to models: slots, fair queues, model affinity, health.

Everything here but `slot_manager` is pure: no input or output, no clock of its own, no chance.
"""
