"""How well a team delivers: DORA's figures, their page and plots."""
