"""The engine that runs delegations: material, scheduling, attempts, checks, hand-backs."""
