"""The site: the product, and one job more."""
