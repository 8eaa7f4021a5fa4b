"""An app of somebody's project, whose commands do what jobs do at night."""
