"""How much the DAGs do, for their tests too."""

STORM = 2000
