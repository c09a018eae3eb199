"""What can go wrong while training, recognised from the numbers and explained."""
