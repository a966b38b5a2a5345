"""Networks with fewer channels: which there are, what they are worth, and the network without them."""
