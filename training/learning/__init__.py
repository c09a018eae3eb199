"""Networks: made, trained, asked and measured. Everything here may import torch."""
