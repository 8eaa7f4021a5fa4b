"""How a plan is told: on a terminal, in a pull request, to programs."""
