"""gannb: notebooks for people who train GANs. Importing it loads no torch until something needs it."""

__version__ = "0.1.0"
