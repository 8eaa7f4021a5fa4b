"""The account of each user and its life cycle: trial, subscription, end."""
