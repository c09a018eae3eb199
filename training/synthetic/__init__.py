"""Synthetic faces and the demo project made of them."""
