"""What a trained model brings besides its weights: header, starters, adjustment, stored predictions."""
