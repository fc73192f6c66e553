"""Blocks that strategies are composed of: what is trained, by which loss, until when."""
