"""What things cost: price sheets, which are data, and the price of each host of a run.

Nothing here knows what a task used; `tracer_hooks.analysis.cost` puts the two together.
"""
