"""What recorded or simulated data say: calibration of the model, and what its signals are worth. Offline."""
