"""Networks of two stages: a first one finds all points, a second one refines them."""
