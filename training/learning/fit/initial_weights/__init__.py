"""What a network's weights begin from: published weights, or a model trained before."""
