"""Plans, forecasts, data and progress for the terminal."""
