"""Evolution of models and the honest statistics of promoting them."""
