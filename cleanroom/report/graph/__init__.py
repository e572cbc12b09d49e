"""A recorded trace as a picture: its spans, or the services behind them."""
