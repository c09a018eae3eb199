"""The parts that are always there, one package each; none imports another."""
